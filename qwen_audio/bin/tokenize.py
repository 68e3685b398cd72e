"""Stage 2: write the multi-task training format of a set as token ids.

Example:
    qwen-audio tokenize dump/raw/asterisk_train dump/tokens/asterisk_train --tokenizer exp/tokenizer
"""

import argparse

from qwen_audio.data.tokenize import tokenize
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="formatted set, such as dump/raw/SET")
    parser.add_argument("target", help="folder to write, such as dump/tokens/SET")
    parser.add_argument("--tokenizer", required=True, help="folder that `qwen-audio tokenizer` wrote")
    parser.add_argument("--tasks", nargs="*", default=[], help="take these tasks only")


def main(args: argparse.Namespace) -> None:
    counts = tokenize(args.source, args.target, Tokenizer(args.tokenizer), load_tasks(), args.tasks)
    rows = ", ".join(f"{task} {count}" for task, count in sorted(counts.items()))
    print(f"{args.target}: {sum(counts.values())} examples ({rows})")


if __name__ == "__main__":
    from qwen_audio.cli import run

    run("tokenize")
