"""Print what a model is: components, parameters of each part, seconds a frame, vocabulary, where it came from.

Example:
    qwen-audio info exp/pretrain_default
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="folder of a trained or imported model")


def main(args: argparse.Namespace) -> None:
    from qwen_audio.interop.info import report

    print("\n".join(report(args.model)))
