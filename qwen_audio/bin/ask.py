"""Ask a model one question, with audio or without.

Examples:
    qwen-audio ask exp/sft_default --audio a.wav "What is said?"
    qwen-audio ask exp/sft_default --audio a.wav --audio b.wav "Which of the two is music?"
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.chat.terminal import add_model_arguments

    add_model_arguments(parser)
    parser.add_argument("question", help="the question, in quotes")
    parser.add_argument(
        "--audio", action="append", default=[], metavar="FILE",
        help="wav, flac, mp3, ogg or m4a; several are Audio 1, Audio 2 and so on",
    )  # fmt: skip


def main(args: argparse.Namespace) -> None:
    from qwen_audio.chat.terminal import open_terminal

    for piece in open_terminal(args).session.ask(args.question, args.audio, stream=True):
        print(piece, end="", flush=True)
    print()
