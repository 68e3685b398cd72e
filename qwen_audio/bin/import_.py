"""Import released weights: a folder that trains, decodes and chats like one that was trained here.

Reads Qwen-Audio and Qwen-Audio-Chat, Qwen2-Audio and its Instruct model of Hugging Face, the encoder of any Hugging
Face Whisper or of an ESPnet checkpoint, and any causal language model; a folder or a hub name each. Sources that
give a part each are named together; an adapter that none gives starts anew. Every tensor of a source is placed,
left out by a rule that is counted, or named in an error.

Example:
    qwen-audio import Qwen/Qwen-Audio-Chat models/qwen_audio_chat
    qwen-audio import openai/whisper-large-v2 Qwen/Qwen2.5-7B models/fresh --override adapter=stack_linear
"""

import argparse

from qwen_audio.interop.dtypes import DTYPES
from qwen_audio.train.arguments import add_overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="checkpoint folder or hub name")
    parser.add_argument("folder", metavar="DIR", help="folder to write")
    parser.add_argument("--dtype", default="source", help=f"of the stored weights: {', '.join(DTYPES)}")
    parser.add_argument(
        "--leave_out",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="tensors of the source not to take, such as '*.inv_freq'",
    )
    add_overrides(parser)


def main(args: argparse.Namespace) -> None:
    from qwen_audio.interop.assemble import import_model

    about = import_model(args.sources, args.folder, args.dtype, args.leave_out, args.override)
    kinds = " and ".join(source["kind"] for source in about["sources"])
    counts = ", ".join(f"{count} {what}" for what, count in about["tensors"].items())
    print(f"{args.folder}: {kinds}; tensors: {counts}")
