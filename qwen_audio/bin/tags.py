"""Print the special-token vocabulary as ID<TAB>TOKEN lines, in id order.

Example:
    qwen-audio tags --base-size 151643      # Qwen's tokenizer: the ids of the released model
"""

import argparse

from qwen_audio.tags import SPECIAL_TOKENS

QWEN = 151643  # byte-level BPE ranks of Qwen's tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base-size", "--base_size", type=int, default=QWEN, metavar="N",
        help=f"tokens of the base tokenizer, below the special ones; Qwen's {QWEN} by default",
    )  # fmt: skip


def main(args: argparse.Namespace) -> None:
    if args.base_size < 0:
        raise ValueError(f"--base-size is {args.base_size}; write how many tokens the base tokenizer has")
    print("\n".join(f"{number}\t{token}" for number, token in enumerate(SPECIAL_TOKENS, args.base_size)))
