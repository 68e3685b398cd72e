"""What counts as a word under each protocol.

``qwen_audio`` follows the paper's released scripts: tags out, lower case, punctuation kept.
``whisper`` is the field's common one: Whisper's English normaliser for English, its basic one otherwise,
never both in a row.
"""

import functools
import re
import warnings
from collections.abc import Callable

from qwen_audio.score import by_word

_TAG = re.compile(r"<\|.*?\|>")
_BEFORE_MARK = re.compile(r" ([!,.?;:])")


def spaced(text: str) -> str:
    """``text`` with each ``<|tag|>`` turned into a space and white space collapsed.

    A space, not nothing: ``one<|0.50|>two`` are two words.
    """
    return " ".join(_TAG.sub(" ", text).split())


def normaliser(protocol: str, lang: str) -> Callable[[str], str]:
    """The text function of ``protocol`` (``qwen_audio`` or ``whisper``) for the language code ``lang``."""
    if protocol == "qwen_audio":
        return _released
    whisper = _whisper("en" if lang == "en" else "basic")
    return lambda text: whisper(spaced(text))


def units(text: str, unit: str) -> list[str]:
    """Cut normalised ``text`` at white space (``word``) or into characters without it (``character``)."""
    return text.split() if unit == "word" else list("".join(text.split()))


def _released(text: str) -> str:
    return _BEFORE_MARK.sub(r"\1", spaced(text)).lower()


@functools.cache
def _whisper(kind: str) -> Callable[[str], str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # an escape in a docstring of the library
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer

    return by_word.english(EnglishTextNormalizer()) if kind == "en" else by_word.basic(BasicTextNormalizer())
