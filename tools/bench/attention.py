#!/usr/bin/env python3
"""Causal attention on a CPU, forward and backward: PyTorch's fused kernel against its plain one, by length.

    tools/venv/bin/python tools/bench/attention.py --num_threads 2

Prints milliseconds and their ratio, above 1 where the plain kernel is the faster one; qwen_audio/attention.py
takes the plain kernel up to the length where the two meet. Both are timed in turn, in one run.
"""

import argparse
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

SHAPES = [(32, 9, 24), (32, 9, 45), (24, 9, 80), (14, 9, 120), (24, 8, 180), (14, 8, 310), (5, 8, 900)]
WIDTH = 64  # of a head, in Whisper and in SmolLM2
KERNELS = (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.num_threads)
    print("batch heads length   fused ms  plain ms  fused / plain")
    for batch, heads, length in SHAPES:
        tensors = [
            torch.randn(batch, heads, length, WIDTH, dtype=getattr(torch, args.dtype), requires_grad=True)
            for _ in range(3)
        ]
        spent = {kernel: [] for kernel in KERNELS}
        for _ in range(args.repeat + 1):
            for kernel in KERNELS:
                begin = time.perf_counter()
                with sdpa_kernel(kernel):
                    out = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=True)
                out.sum().backward()
                spent[kernel].append(time.perf_counter() - begin)
        fused, plain = (sorted(spent[kernel][1:])[args.repeat // 2] for kernel in KERNELS)
        print(
            f"{batch:5} {heads:5} {length:6}   {1e3 * fused:8.1f}  {1e3 * plain:8.1f}  {fused / plain:8.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num_threads", type=int, default=1)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--repeat", type=int, default=9, help="the median of this many is printed")
    main(parser.parse_args())
