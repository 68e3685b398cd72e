"""Talk to a model: on a terminal, or line by line through a pipe. /help lists what else can be typed.

Answers go to stdout, all else to stderr. From a pipe, the status is 1 if a line could not be served.

Examples:
    qwen-audio chat exp/sft_default
    printf '/audio a.wav\\nWhat is said?\\nIn which language?\\n' | qwen-audio chat exp/sft_default
"""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.chat.terminal import add_model_arguments

    add_model_arguments(parser)


def main(args: argparse.Namespace) -> None:
    from qwen_audio.chat.terminal import open_terminal, typed_lines

    terminal = open_terminal(args)
    if sys.stdin.isatty():
        terminal.note("/audio FILE gives the next question an audio, /help lists the commands, Ctrl-D ends")
        terminal.converse(typed_lines())
    else:
        terminal.converse(sys.stdin)
        sys.exit(min(terminal.faults, 1))
