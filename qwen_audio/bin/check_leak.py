"""Stage 0: prove that no recording and no sentence of valid or test stands in train.

Example:
    qwen-audio check_leak --train data/asterisk_train --test data/asterisk_valid data/asterisk_test
"""

import argparse

from qwen_audio.data.leak import check_leak


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--train", nargs="+", required=True, metavar="DIR", help="data directories to train on"
    )
    parser.add_argument("--test", nargs="*", default=[], metavar="DIR", help="those of validation and test")
    parser.add_argument(
        "--may_share_sentences",
        action="store_true",
        help="warn of shared sentences; recordings end it all the same",
    )


def main(args: argparse.Namespace) -> None:
    counts = check_leak(args.train, args.test, args.may_share_sentences)
    print(
        f"{'no shared recording' if args.may_share_sentences else 'no leak'}; compared "
        + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    )
