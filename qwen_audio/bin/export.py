"""Export a model for other engines, or to be shared.

qwen2_audio: a folder that transformers' Qwen2AudioForConditionalGeneration and its processor load as they are; an
error names what of the model cannot be expressed there. hf: this toolkit's own folder with a model card. espnet: an
archive as ESPnet's model zoo packs them. `qwen-audio import` of each gives the same model, bit for bit.

Example:
    qwen-audio export exp/pretrain_default models/shared --to hf
    qwen-audio export models/qwen_audio_tuned models/for_transformers --to qwen2_audio --leave_out ctc
"""

import argparse

FORMATS = ("qwen2_audio", "hf", "espnet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="folder of a trained or imported model")
    parser.add_argument("folder", metavar="DIR", help="folder to write")
    parser.add_argument("--to", required=True, choices=FORMATS)
    parser.add_argument(
        "--leave_out",
        nargs="+",
        default=[],
        metavar="SLOT",
        help="with qwen2_audio: optional components to drop, such as ctc",
    )


def main(args: argparse.Namespace) -> None:
    from pathlib import Path

    from qwen_audio.interop import to_espnet, to_hf, to_qwen2_audio
    from qwen_audio.interop.own import check_apart

    check_apart(Path(args.model), Path(args.folder))
    if args.to == "qwen2_audio":
        to_qwen2_audio.export(args.model, args.folder, args.leave_out)
    elif args.leave_out:
        raise ValueError(f"--leave_out is of --to qwen2_audio; {args.to} holds the whole model")
    else:
        {"hf": to_hf, "espnet": to_espnet}[args.to].export(args.model, args.folder)
    print(f"{args.folder}: {args.model} as {args.to}")
