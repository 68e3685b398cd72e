"""Set results beside the paper's: its table 3, and tables 4 and 5, as report.md and report.png.

    qwen-audio report egs/librispeech egs/clotho
    qwen-audio report egs --output exp/report
    qwen-audio report with_srwt --without_srwt without_srwt

Every results.json in the folders and below is read (stage 8 of a recipe writes it); one may be named itself.
With --without_srwt the models of those folders are trainings without the task srwt, the others the same with it.
"""

import argparse
import shlex
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR",
                        help="results.json, or a folder with one in it or below")  # fmt: skip
    parser.add_argument("--without_srwt", nargs="+", type=Path, default=[], metavar="DIR",
                        help="the same, trained without the task srwt: makes tables 4 and 5")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("."), metavar="DIR",
                        help="folder for report.md and report.png; this one by default")  # fmt: skip


def main(args: argparse.Namespace) -> None:
    from qwen_audio.score.report import write_report
    from qwen_audio.score.systems import gather

    systems, without = gather(args.folders, args.without_srwt)
    words = [*args.folders, *(["--without_srwt", *args.without_srwt] if without else [])]
    command = shlex.join(["qwen-audio", "report", *map(str, words)])
    write_report(args.output, systems, without, command)
    print(f"{args.output / 'report.md'}, report.png: models: {len(systems) + len(without)}")
