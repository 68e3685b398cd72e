"""A chat session on a terminal, or fed by a pipe."""

import argparse
import contextlib
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.cli import one_line
from qwen_audio.ffmpeg import any_blocks
from qwen_audio.infer.arguments import add_place_arguments, place_of
from qwen_audio.registry import nearest

COMMANDS = {
    "/audio": "FILE: heard with the next question (wav, flac, mp3, ogg, m4a); may be given several times",
    "/reset": "forget what was said",
    "/save": "FILE: write the dialogue",
    "/load": "FILE: go on with a saved dialogue",
    "/words": "[LANGUAGE]: the words of the last audio, with start and end in seconds and confidence; en by default",
    "/help": "this list",
}


class Terminal:
    """Lines in, answers out: a line is a command of COMMANDS, or a question.

    What goes wrong with a line is told, and the chat goes on.

    Args:
        session: a ChatSession; its ``notify`` may be ``note`` of this object.
        out: for answers.
        err: for all else.

    Attributes:
        faults: lines that could not be served.
    """

    def __init__(self, session, out: TextIO, err: TextIO):
        self.session, self.out, self.err = session, out, err
        self.faults = 0
        self._waiting: list[str] = []  # audio for the next question

    def converse(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not line.strip():
                continue
            try:
                self._serve(line.strip())
            except (ValueError, OSError) as error:
                self.faults += 1
                self.note(one_line(error))
            except KeyboardInterrupt:
                self._say("\n")
                self.note("broken off; the question is not kept")

    def note(self, message: str) -> None:
        print(f"({message})", file=self.err, flush=True)

    def _serve(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        if not command.startswith("/"):
            self._ask(line)
        elif command in COMMANDS:
            getattr(self, f"_{command[1:]}")(rest.strip())
        else:
            raise ValueError(f"unknown command {command}{nearest(command, COMMANDS)}")

    def _ask(self, question: str) -> None:
        pieces = self.session.ask(question, self._waiting, stream=True)
        for piece in pieces:
            self._say(piece)
        self._say("\n")
        self._waiting = []

    def _audio(self, name: str) -> None:
        path = _path(name, "/audio a.wav")
        seconds = sum(map(len, any_blocks(path))) / SAMPLE_RATE
        self._waiting.append(path)
        self.note(f"{path}, {seconds:.1f} s: heard with the next question")

    def _reset(self, _: str) -> None:
        self.session.reset()
        self._waiting = []
        self.note("a new dialogue begins")

    def _save(self, name: str) -> None:
        path = _path(name, "/save dialogue.jsonl")
        self.session.save(path)
        self.note(f"{path} holds the dialogue")

    def _load(self, name: str) -> None:
        path = _path(name, "/load dialogue.jsonl")
        self.session.load(path)
        self._waiting = []
        for message in self.session.messages:
            said = " ".join([*(f"[{audio}]" for audio in message.audios), message.text])
            print(f"{message.role}: {said.strip()}", file=self.err, flush=True)

    def _words(self, language: str) -> None:
        last = self._waiting[-1] if self._waiting else None
        words = self.session.words(language or "en", last)
        if not words:
            self.note("no words were heard")
        for word, start, end, confidence in words:
            self._say(f"{start:.2f}\t{end:.2f}\t{word}\t{confidence:.2f}\n")

    def _help(self, _: str) -> None:
        for command, meaning in COMMANDS.items():
            print(f"{command:8}{meaning}", file=self.err, flush=True)

    def _say(self, text: str) -> None:
        print(text, end="", file=self.out, flush=True)


def typed_lines() -> Iterator[str]:
    """Lines typed at a prompt, with the usual editing keys, up to Ctrl-D; Ctrl-C leaves a line out."""
    with contextlib.suppress(ImportError):  # some Pythons lack it
        importlib.import_module("readline")  # input() then knows the editing keys
    while True:
        try:
            yield input("> ")
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the commands that talk to a model."""
    parser.add_argument("model", help="folder of the trained model, such as exp/sft_default")
    add_place_arguments(parser)
    parser.add_argument(
        "--beam-size", "--beam_size", type=int, default=1, metavar="N", help="1 is greedy search"
    )
    parser.add_argument(
        "--max-new-tokens", "--max_new_tokens", type=int, default=256, metavar="N",
        help="an answer is cut after this many",
    )  # fmt: skip


def open_terminal(args: argparse.Namespace) -> Terminal:
    """The model of ``add_model_arguments``, ready to talk to."""
    from qwen_audio import load

    for name in ("beam_size", "max_new_tokens"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} is {getattr(args, name)}; write a whole number from 1 on")
    session = load(args.model, **place_of(args)).chat(
        beam_size=args.beam_size, max_new_tokens=args.max_new_tokens
    )
    terminal = Terminal(session, sys.stdout, sys.stderr)
    session.notify = terminal.note
    return terminal


def _path(name: str, example: str) -> str:
    """A file as people type or drop it into a terminal."""
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1]
    if not name:
        raise ValueError(f"no file is named; write {example}")
    return str(Path(name).expanduser())
