"""Stages 2 and 6: write the training format of a set as token ids: examples with their tags, dialogues in ChatML.

Example:
    qwen-audio tokenize dump/raw/asterisk_train dump/tokens/asterisk_train --tokenizer exp/tokenizer
    qwen-audio tokenize dump/sft/asterisk_train dump/tokens_sft/asterisk_train --tokenizer exp/tokenizer
"""

import argparse
from pathlib import Path

from qwen_audio.data.tokenize import tokenize
from qwen_audio.data.tokenize_dialogues import DIALOGUES, tokenize_dialogues
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", help="formatted set, such as dump/raw/SET, or a folder with dialogues.jsonl"
    )
    parser.add_argument("target", help="folder to write, such as dump/tokens/SET")
    parser.add_argument("--tokenizer", required=True, help="folder that `qwen-audio tokenizer` wrote")
    parser.add_argument("--tasks", nargs="*", default=[], help="take these tasks only")


def main(args: argparse.Namespace) -> None:
    tokenizer = Tokenizer(args.tokenizer)
    if not (Path(args.source) / DIALOGUES).is_file():
        counts = tokenize(args.source, args.target, tokenizer, load_tasks(), args.tasks)
    elif args.tasks:
        raise ValueError(
            f"--tasks is for sets of examples; {args.source} holds dialogues: choose when they are made"
        )
    else:
        counts = tokenize_dialogues(args.source, args.target, tokenizer)
    rows = ", ".join(f"{task} {count}" for task, count in sorted(counts.items()))
    print(f"{args.target}: {sum(counts.values())} examples ({rows})")
