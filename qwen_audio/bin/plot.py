"""Draw the loss curves of a run, one panel per task, from its train_log.jsonl.

Example:
    qwen-audio plot --run_dir exp/pretrain_base
"""

import argparse
from pathlib import Path

from qwen_audio.train.log import LOG
from qwen_audio.train.plot import plot_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run_dir", type=Path, required=True, help="folder of the run, with train_log.jsonl")
    parser.add_argument(
        "--output", type=Path, help="picture to write; by default loss.png in the run's folder"
    )


def main(args: argparse.Namespace) -> None:
    output = args.output or args.run_dir / "loss.png"
    plot_log(args.run_dir / LOG, output)
    print(output)
