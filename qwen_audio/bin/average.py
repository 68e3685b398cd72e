"""Stage 5: average the last or the best checkpoints of a run and write the whole model beside them.

Example:
    qwen-audio average exp/pretrain_default --by valid
"""

import argparse
from pathlib import Path

from qwen_audio.train.run import finish


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="folder of the run, with checkpoints/")
    parser.add_argument(
        "--count", type=int, help="checkpoints, by default average_checkpoints of the configuration"
    )
    parser.add_argument(
        "--by",
        choices=("last", "valid"),
        default="last",
        help="the last, or lowest validation loss in the last phase",
    )


def main(args: argparse.Namespace) -> None:
    folders = finish(args.run, args.count, args.by)
    print(f"{args.run}/model.safetensors: mean of {', '.join(folder.name for folder in folders)}")
