"""Words with times and confidences, as timestamp heads give them, made ready to be written into files."""

import itertools
import math
from dataclasses import dataclass

from qwen_audio.tags import UNSPACED
from qwen_audio.words import SIL, HeardWord

CLOSING = ".,;:!?…。，、；：？！"  # marks that stand right behind the word before them


@dataclass(frozen=True)
class Transcript:
    """What was said in one recording.

    Attributes:
        name: of the recording, without a folder.
        language: code of the language spoken.
        seconds: length of the recording.
        text: the words as running text.
        words: in the order they are spoken; None where their times are not known.
    """

    name: str
    language: str
    seconds: float
    text: str
    words: tuple[HeardWord, ...] | None = None


def timed_transcript(name: str, language: str, seconds: float, words: list[HeardWord]) -> Transcript:
    """The transcript that ``words`` make; silence and words without a character are left out."""
    tidy = (word._replace(text=" ".join(word.text.split())) for word in words)
    spoken = tuple(word for word in tidy if word.text not in ("", SIL))
    return Transcript(name, language, seconds, join_words([word.text for word in spoken], language), spoken)


def join_words(words: list[str], language: str) -> str:
    """The words as running text: without blanks where the language is written so, and none before a mark."""
    blank = "" if language in UNSPACED else " "
    return "".join(word if closes(word) else blank + word for word in words).removeprefix(blank)


def closes(word: str) -> bool:
    """Whether ``word`` is nothing but marks that belong to the word before it."""
    return not word.strip(CLOSING)


def one_at_a_time(words: tuple[HeardWord, ...]) -> list[tuple[str, int, int]]:
    """(word, start, end) in milliseconds, for files in which no two words may overlap.

    Every word begins after the one before it and lasts 1 ms at least; one that goes on while the next is
    spoken ends where that begins.
    """
    starts = list(itertools.accumulate((max(round(1000 * word.start), 0) for word in words), _after))
    ends = [round(1000 * word.end) for word in words]
    limits = [*starts[1:], math.inf]
    return [
        (word.text, start, max(start + 1, min(end, limit)))
        for word, start, end, limit in zip(words, starts, ends, limits)
    ]


def _after(earlier: int, start: int) -> int:
    return max(start, earlier + 1)
