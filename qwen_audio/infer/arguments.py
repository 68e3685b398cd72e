"""Arguments of the commands that load a model: where it computes, and in which types."""

import argparse


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """--device, --dtype and --quantize, as load_model (qwen_audio/infer/load.py) takes them."""
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument(
        "--dtype",
        default="float32",
        help="float32; bfloat16: faster on a CPU with AMX or a GPU; float16: for GPUs without bfloat16",
    )
    parser.add_argument(
        "--quantize",
        metavar="8bit|4bit",
        help="keep the LLM's linear layers in so few bits, by bitsandbytes",
    )


def place_of(args: argparse.Namespace) -> dict:
    """Those arguments, as load_model names them."""
    return {"device": args.device, "dtype": args.dtype, "quantize": args.quantize}
