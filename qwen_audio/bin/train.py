"""Stage 4: train a model on tokenised sets; the same command goes on where it was broken off.

Several GPUs: python -m torch.distributed.run --standalone --nproc_per_node N -m qwen_audio train --ngpu N ...
Several machines: on each the same with torchrun's --nnodes and --rdzv_endpoint in the place of --standalone.

Example:
    qwen-audio train --config conf/pretrain.yaml --train dump/tokens/asterisk_train \\
        --valid dump/tokens/asterisk_valid --output exp/pretrain_default --override adapter_conf.stride=2
"""

import argparse
import os

import torch

from qwen_audio.build import fast_dtype
from qwen_audio.infer.arguments import device_fault
from qwen_audio.train.arguments import add_changes, read_config
from qwen_audio.train.run import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--output", required=True, help="folder of the run, such as exp/pretrain_TAG")
    parser.add_argument(
        "--ngpu", type=int, default=0, help="GPUs of this machine, one for each process; 0: CPU"
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """What a run is made of: configuration and sets."""
    parser.add_argument("--config", required=True, help="training configuration")
    parser.add_argument("--train", nargs="+", required=True, metavar="SET", help="tokenised training sets")
    parser.add_argument("--valid", nargs="*", default=[], metavar="SET", help="tokenised validation sets")
    add_changes(parser)


def main(args: argparse.Namespace) -> None:
    if args.ngpu > torch.cuda.device_count():
        raise ValueError(
            f"--ngpu {args.ngpu}: torch {torch.__version__} finds {torch.cuda.device_count()} GPUs here; write as many,"
            " or --ngpu 0 to train on the CPU"
        )
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # torchrun's, on this machine
    if args.ngpu not in (0, processes):
        raise ValueError(
            f"--ngpu {args.ngpu} needs {args.ngpu} processes, not {processes}: python -m torch.distributed.run"
            f" --standalone --nproc_per_node {args.ngpu} -m qwen_audio train ..."
        )
    config = read_config(args)
    if args.ngpu:
        check_gpu(args.ngpu, config["train_dtype"])
    train(config, args.train, args.valid, args.output, "cuda" if args.ngpu else "cpu")


def check_gpu(ngpu: int, dtype: str) -> None:
    """Raises: ValueError if torch cannot compute on this process's GPU, or ``dtype`` is one that it does not have."""
    gpu = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    if fault := device_fault(gpu):
        raise ValueError(f"--ngpu {ngpu}: {gpu}: {fault}; write --ngpu 0 to train on the CPU")
    if dtype == "bfloat16" and fast_dtype(gpu) != dtype:
        raise ValueError(f"train_dtype is bfloat16, which {gpu} does not have; write train_dtype: float32")
