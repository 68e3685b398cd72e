"""Words with times, as text: start token, word, end token (the paper's section 3.2)."""

import re
import unicodedata
from typing import NamedTuple

from qwen_audio.tags import UNSPACED

Word = tuple[float, float, str]  # start_s, end_s, word
SIL = "<|sil|>"  # silence, which the released model writes out as a word
_TIME = re.compile(r"<\|(\d+\.\d+)\|>")


class HeardWord(NamedTuple):
    """A word that was heard in a clip: what a timestamp head answers.

    Attributes:
        start, end: seconds.
        confidence: from 0 to 1; None where nothing tells it.
    """

    text: str
    start: float
    end: float
    confidence: float | None


def parse_words(text: str) -> list[Word] | None:
    """Read ``<|0.00|>a<|0.54|><|0.60|>b<|0.86|>`` into (start_s, end_s, token); None where it is malformed.

    A boundary may be shared: ``<|0.00|>a<|0.54|>b<|0.86|>``. Text before the first or after the last time
    has only one boundary: malformed, as is a text without a token between two times.
    """
    pieces = _TIME.split(text)
    if pieces[0].strip() or pieces[-1].strip():
        return None
    spans = zip(pieces[1::2], pieces[2::2], pieces[3::2])
    words = [(float(start), float(end), token.strip()) for start, token, end in spans if token.strip()]
    return words or None


def split_words(text: str, language: str) -> list[str]:
    """The words of a transcript, marks joined to them; where no spaces are written, each character is one.

    A character is a letter with what is written on it: Thai vowels and tones, Khmer and Burmese signs.
    """
    if language not in UNSPACED:
        return text.split()
    words: list[str] = []
    for part in text.split():
        words.append(part[0])  # a mark on the blank before it is no part of the letter before that
        for character in part[1:]:
            if unicodedata.category(character)[0] == "M":
                words[-1] += character
            else:
                words.append(character)
    return words
