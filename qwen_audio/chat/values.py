"""How the fields of an example are said in a sentence of a chat, and read back from one.

In a chat there are no tags: a word with its times is ``hello (0.10-0.42)``, a pair ``date: the third of may``.
Labels and names of languages are said in the language of the sentence where recipes/chat/names.yaml has a
word for them; a label that it lacks stands as it is.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from qwen_audio.checkout import RECIPES, need
from qwen_audio.tags import LANGUAGES

CHAT_DIR = RECIPES / "chat"
CHAT_LANGS = ("en", "zh")
_TIMED = re.compile(r"\s*(?P<text>[^()]*?)\s*\((?P<start>\d+\.\d\d)-(?P<end>\d+\.\d\d)\)(?:,|$)")
_COMMA = {"en": ", ", "zh": "、"}
_NOTHING = {"en": "none", "zh": "无"}
_UNKNOWN = {"en": "an unknown language", "zh": "未知语言"}


@dataclass(frozen=True)
class Spoken:
    """One kind of value: ``say(value, lang)`` is its words; ``hear(words, lang)`` the value, None where it
    is none."""

    say: Callable
    hear: Callable


@functools.cache
def names(lang: str) -> dict[str, str]:
    """Label -> its words in ``lang``, of recipes/chat/names.yaml.

    Raises:
        ValueError: if it is not there, or two labels have the same words, so that they could not be told apart.
    """
    path = need(CHAT_DIR / "names.yaml")
    found = yaml.safe_load(path.read_text(encoding="utf-8")).get(lang, {})
    for label, words in found.items():
        twin = next((other for other in found if other != label and found[other] == words), None)
        if twin is not None:
            raise ValueError(f"{path}: {lang}: {label!r} and {twin!r} are both {words!r}; name one otherwise")
    return found


def say_label(label: str, lang: str) -> str:
    return names(lang).get(label, label)


def hear_label(words: str, lang: str) -> str:
    return next((label for label, said in names(lang).items() if said == words), words)


def say_language(code: str, lang: str) -> str:
    """``es`` -> ``Spanish``, ``西班牙语``."""
    return say_label(LANGUAGES[code], lang) if code in LANGUAGES else _UNKNOWN[lang]


def hear_language(words: str, lang: str) -> str | None:
    if words == _UNKNOWN[lang]:
        return "unknown"
    return next((code for code, name in LANGUAGES.items() if say_label(name, lang) == words), None)


def _hear_whole(words: str, lang: str) -> int | None:
    return int(words) if words.isascii() and words.isdigit() else None


def _hear_seconds(words: str, lang: str) -> float | None:
    return float(words) if re.fullmatch(r"\d+(\.\d+)?", words, re.ASCII) else None


def _hear_whole_list(words: str, lang: str) -> list[int] | None:
    found = re.findall(r"\d+", words, re.ASCII)
    return [int(number) for number in found] or None


def _hear_list(words: str, lang: str) -> list[str] | None:
    texts = [hear_label(text.strip(), lang) for text in re.split("[,、]", words)]
    return texts if all(texts) else None


def _hear_texts(words: str, lang: str) -> list[str] | None:
    texts = [text.strip() for text in words.split(" / ")]
    return texts if all(texts) else None


def _say_timed(rows: list, lang: str) -> str:
    return ", ".join(f"{text} ({start:.2f}-{end:.2f})" for start, end, text in rows) or _NOTHING[lang]


def _hear_timed(words: str, lang: str) -> list | None:
    """``hello (0.10-0.42), there (0.50-0.90)`` -> [[0.1, 0.42, "hello"], …]."""
    if words.strip() == _NOTHING[lang]:
        return []
    found, at = [], 0
    while at < len(words.rstrip()):
        match = _TIMED.match(words, at)
        if not match or not match["text"]:
            return None
        found.append([float(match["start"]), float(match["end"]), match["text"]])
        at = match.end()
    return found or None


def _say_pairs(pairs: list, lang: str) -> str:
    return "; ".join(f"{kind}: {text}" for kind, text in pairs) or _NOTHING[lang]


def _hear_pairs(words: str, lang: str) -> list | None:
    if words.strip() == _NOTHING[lang]:
        return []
    pairs = [[part.strip() for part in pair.split(": ", 1)] for pair in words.split(";")]
    return pairs if all(len(pair) == 2 and all(pair) for pair in pairs) else None


YES = {"en": ("Yes", "No"), "zh": ("是", "否")}
SPOKEN = {
    "text": Spoken(lambda value, lang: value, lambda words, lang: words.strip() or None),
    "label": Spoken(say_label, hear_label),
    "language": Spoken(say_language, hear_language),
    "number": Spoken(lambda value, lang: str(value), _hear_whole),
    "numbers": Spoken(lambda value, lang: _COMMA[lang].join(map(str, value)), _hear_whole_list),
    "seconds": Spoken(lambda value, lang: f"{value:.2f}", _hear_seconds),
    "listed": Spoken(lambda value, lang: _COMMA[lang].join(say_label(x, lang) for x in value), _hear_list),
    "texts": Spoken(lambda value, lang: " / ".join(value), _hear_texts),
    "words": Spoken(_say_timed, _hear_timed),
    "segments": Spoken(_say_timed, _hear_timed),
    "pairs": Spoken(_say_pairs, _hear_pairs),
    "yes": Spoken(
        lambda value, lang: YES[lang][not value],
        lambda words, lang: {YES[lang][0].lower(): True, YES[lang][1].lower(): False}.get(words.lower()),
    ),
}
