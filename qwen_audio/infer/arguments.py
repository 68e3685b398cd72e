"""Arguments of the commands that load a model: where it computes, in which types, and on which sets."""

import argparse
from collections.abc import Sequence
from pathlib import Path

AUTO = "auto"


def add_place_arguments(parser: argparse.ArgumentParser, dtype: str = "float32") -> None:
    """--device, --dtype and --quantize, as load_model (qwen_audio/infer/load.py) takes them.

    Args:
        dtype: the default.
    """
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument(
        "--dtype",
        default=dtype,
        help="float32, bfloat16, float16 (for GPUs without bfloat16), or auto: bfloat16 where the device has it, else"
        f" float32; {dtype} by default",
    )
    parser.add_argument(
        "--quantize",
        metavar="8bit|4bit",
        help="keep the LLM's linear layers in so few bits, by bitsandbytes",
    )


def place_of(args: argparse.Namespace) -> dict:
    """Those arguments, as load_model names them; ``auto`` is resolved. Raises: ValueError as ``check_device``."""
    from qwen_audio.build import fast_dtype

    check_device(args.device)
    dtype = fast_dtype(args.device) if args.dtype == AUTO else args.dtype
    return {"device": args.device, "dtype": dtype, "quantize": args.quantize}


def check_device(device: str) -> None:
    """Raises: ValueError if the device of ``--device`` cannot compute; asked before a model is loaded."""
    if fault := device_fault(device):
        raise ValueError(f"--device {device}: {fault}; write --device cpu, cuda or cuda:N")


def device_fault(device: str) -> str:
    """Why torch cannot compute on ``device``, on one line; empty where it can."""
    import torch

    try:
        # a tensor alone can be made on a GPU that torch has no kernels for
        torch.ones(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError) as error:
        return str(error).partition("\n")[0]
    return ""


def label_of(args: argparse.Namespace) -> str:
    """What tells the weights of ``--model``, as ``--quantize`` keeps them, from others."""
    from qwen_audio.model_folder import weights_id

    return " ".join(filter(None, (weights_id(args.model), args.quantize)))


def check_names(sets: Sequence[Path]) -> None:
    """Raises: ValueError if two of the folders ``--sets`` have the same name, which their output takes over."""
    names = [folder.name for folder in sets]
    if len(set(names)) < len(names):
        raise ValueError(f"--sets {' '.join(map(str, sets))}: two have the same name; take two calls")
