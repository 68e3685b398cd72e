"""The kinds of fields an example may have: what stands in examples.jsonl, how it is written and read back.

A task's YAML names the kind of each field that is not plain text: ``kinds: {segments: segments}``. Written
forms are (text, is_tag) pieces: what a user's text holds is never a tag. Texts whose form is held together by
tags may not hold those tags themselves, so that what was written can be read back.
"""

import re
from dataclasses import dataclass

from qwen_audio.tags import LANGUAGES, UNSPACED, tag, time_tag
from qwen_audio.words import SIL, parse_words

Pieces = list[tuple[str, bool]]
NONE = "none"  # what is written where nothing was found: an answer is never empty

# Parts of a form, which says what an answer looks like token by token (for qwen_audio/infer/answer_form.py);
# a tuple of names stands for one of these special tokens.
TEXT, START, STOP = "text", "start time", "end time"
DELIM = tag("delim")
PAIR = [tag(f"{edge}ofentity{part}") for part in ("type", "value") for edge in ("start", "end")]
_TIME_LIKE = re.compile(r"<\|\d+\.\d+\|>")


@dataclass(frozen=True)
class Repeat:
    """``parts`` once or more, ``between`` in between; or the text ``nothing``."""

    parts: tuple
    between: tuple = ()
    nothing: str = ""


@dataclass(frozen=True)
class Maybe:
    """``parts`` or nothing."""

    parts: tuple


class Kind:
    """Base of the kinds.

    Attributes:
        inside: whether it stands within a tag, as in ``<|midi_pitch_{pitch}|>``.
        written: its form as ``qwen-audio tasks`` shows it; None where the field's name in capitals will do.
        pattern: regular expression of what is written.
        form: the same for the grammar; a kind that is more than a text stands alone between tags.
        sample: a value to show.
        measures: what it measures in the audio, so that another speed makes it wrong; empty if nothing.
    """

    inside: bool = False
    written: str | None = None
    pattern: str = ".*?"
    form: tuple = (TEXT,)
    sample: object
    measures: str = ""

    def fault(self, value) -> str:
        """What is wrong with a value and what to write instead; empty if nothing is."""
        raise NotImplementedError

    def pieces(self, value, lang: str | None) -> Pieces:
        """As it is written; ``lang`` is the language of the text."""
        raise NotImplementedError

    def read(self, written: str):
        """The value back; None where it is malformed."""
        raise NotImplementedError


class Text(Kind):
    """A text that is not empty."""

    sample = "some text"

    def fault(self, value) -> str:
        return "" if _filled(value) else f"is {value!r}; write a text that is not empty"

    def pieces(self, value, lang: str | None) -> Pieces:
        return [(value, False)]

    def read(self, written: str) -> str:
        return written.strip()


class Number(Kind):
    """A whole number, which stands within a tag."""

    inside, pattern, sample = True, "[0-9]+", 60
    measures = "a measured number"

    def fault(self, value) -> str:
        return "" if type(value) is int else f"is {value!r}; write a whole number"  # a bool is none either

    def read(self, written: str) -> int:
        return int(written)


class Language(Kind):
    """A code of qwen_audio/tags.py, which stands within a tag; fields of the names below are of this kind."""

    names = ("audio_lang", "text_lang")
    inside, pattern, sample = True, r"\w+", "en"

    def fault(self, value) -> str:
        if isinstance(value, str) and (value in LANGUAGES or value == "unknown"):
            return ""
        known = "write Whisper's code, such as en, zh or yue (`qwen-audio tags` lists all), or unknown"
        return f"is {value!r}, which has no language token; {known}"


class Listed(Kind):
    """Several short texts without commas, ``a, b``."""

    written = "A, B…"
    sample = ["bright", "percussive"]

    def fault(self, value) -> str:
        if not isinstance(value, list) or not value:
            return f"is {value!r}; write a list of texts that is not empty, or leave the field out"
        wrong = [item for item in value if not _filled(item) or "," in item]
        return f"holds {wrong[0]!r}; write a text that is not empty, without comma" if wrong else ""

    def pieces(self, value, lang: str | None) -> Pieces:
        return [(", ".join(value), False)]

    def read(self, written: str) -> list[str] | None:
        return _all_filled(written.split(","))


class Texts(Kind):
    """Several texts, one per speaker, between ``<|delim|>``."""

    written, form = f"TEXT{DELIM}TEXT…", (Repeat((TEXT,), between=((DELIM,),)),)
    sample = ["turn left here", "what did you say"]

    def fault(self, value) -> str:
        if not isinstance(value, list) or not value:
            return f"is {value!r}; write a list of texts that is not empty"
        wrong = [item for item in value if not _filled(item)]
        if wrong:
            return f"holds {wrong[0]!r}; write a text that is not empty"
        return _delimited(value, re.compile(re.escape(DELIM)))

    def pieces(self, value, lang: str | None) -> Pieces:
        return [piece for text in value for piece in ((DELIM, True), (text, False))][1:]

    def read(self, written: str) -> list[str] | None:
        return _all_filled(written.split(DELIM))


class Segments(Kind):
    """``[[start_s, end_s, label], …]`` by start; they may overlap: speakers' turns, sound events."""

    written, form = f"<|START|>LABEL<|END|>… or {NONE}", (Repeat((START, TEXT, STOP), nothing=NONE),)
    sample = [[0.0, 1.2, "1"], [0.9, 2.35, "2"]]
    measures = "times"

    def fault(self, value) -> str:
        return _times_fault(value, "label", overlap=True)

    def pieces(self, value, lang: str | None) -> Pieces:
        turns = [((time_tag(s), True), (label, False), (time_tag(e), True)) for s, e, label in value]
        return [piece for turn in turns for piece in turn] or [(NONE, False)]

    def read(self, written: str) -> list[list] | None:
        if written.strip() == NONE:
            return []
        pieces = _times(written)
        whole = len(pieces) % 4 == 1 and not any(text.strip() for text in pieces[::4])
        if not whole or len(pieces) == 1:
            return None
        turns = zip(pieces[1::4], pieces[3::4], pieces[2::4], strict=True)
        turns = [[float(start), float(end), label.strip()] for start, end, label in turns]
        return turns if all(label and start <= end for start, end, label in turns) else None


class Words(Kind):
    """``[[start_s, end_s, word], …]`` one after another, as the paper writes word times."""

    written, form = "<|START|>WORD<|END|>…", (Repeat((START, TEXT, STOP)),)
    sample = [[0.0, 0.4, "one"], [0.45, 0.9, "two"]]
    measures = "times"

    def fault(self, value) -> str:
        return _times_fault(value, "word") if value else f"is {value!r}; write a list that is not empty"

    def pieces(self, value, lang: str | None) -> Pieces:
        triples = zip(value, spaced_words(value, lang), strict=True)
        spoken = [((time_tag(s), True), (word, False), (time_tag(e), True)) for (s, e, _), word in triples]
        return [piece for triple in spoken for piece in triple]

    def read(self, written: str) -> list[list] | None:
        return [list(word) for word in parse_words(written) or () if word[2] != SIL] or None


class Pairs(Kind):
    """``[[type, value], …]`` between the entity tags of the released vocabulary: entities, slots."""

    written = f"{PAIR[0]}TYPE{PAIR[1]}{PAIR[2]}VALUE{PAIR[3]}… or {NONE}"
    form = (Repeat(((PAIR[0],), TEXT, (PAIR[1],), (PAIR[2],), TEXT, (PAIR[3],)), nothing=NONE),)
    sample = [["date", "the third of may"], ["person", "Alice"]]
    _any = re.compile("|".join(map(re.escape, PAIR)))
    _text = rf"((?:(?!{_any.pattern}).)*)"
    _one = re.compile(r"\s*{}{text}{}\s*{}{text}{}\s*".format(*map(re.escape, PAIR), text=_text), re.DOTALL)

    def fault(self, value) -> str:
        if not isinstance(value, list):
            return f"is {value!r}; write a list of [type, value]"
        for item in value:
            if not isinstance(item, list) or len(item) != 2 or not all(map(_filled, item)):
                return f"holds {item!r}; write [type, value], two texts that are not empty"
        return _delimited([text for pair in value for text in pair], self._any)

    def pieces(self, value, lang: str | None) -> Pieces:
        tags = [(name, True) for name in PAIR]
        pairs = [(tags[0], (kind, False), *tags[1:3], (text, False), tags[3]) for kind, text in value]
        return [piece for pair in pairs for piece in pair] or [(NONE, False)]

    def read(self, written: str) -> list[list[str]] | None:
        if written.strip() == NONE:
            return []
        pairs, at = [], 0
        while match := self._one.match(written, at):
            pairs.append([text.strip() for text in match.groups()])
            at = match.end()
        return pairs if pairs and at == len(written) and all(map(all, pairs)) else None


KINDS = {
    "text": Text(), "number": Number(), "listed": Listed(), "texts": Texts(), "segments": Segments(),
    "words": Words(), "pairs": Pairs(),
}  # fmt: skip
LANGUAGE = Language()


def spaced_words(words: list[list], lang: str | None) -> list[str]:
    """Words as they stand in running text, a space before each but the first: the LLM's own word pieces."""
    spoken = [word for _, _, word in words]
    return spoken if lang in UNSPACED else [*spoken[:1], *(f" {word}" for word in spoken[1:])]


def _filled(value) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _all_filled(texts: list[str]) -> list[str] | None:
    texts = [text.strip() for text in texts]
    return texts if all(texts) else None


def _delimited(texts: list[str], tags: re.Pattern) -> str:
    found = next(filter(None, map(tags.search, texts)), None)
    return f"holds {found.group()} in a text, which is a tag of the answer; take it out" if found else ""


def _times(written: str) -> list[str]:
    """Text, time, text, time, …, text."""
    return re.split(r"<\|(\d+\.\d+)\|>", written)


def _times_fault(value, what: str, overlap: bool = False) -> str:
    """What is wrong with ``[[start_s, end_s, text], …]``; one after another, or they may ``overlap``."""
    if not isinstance(value, list):
        return f"is {value!r}; write a list of [start_s, end_s, {what}]"
    last = 0.0
    for item in value:
        start, end, text = item if isinstance(item, list) and len(item) == 3 else (None, None, "")
        numbers = isinstance(start, int | float) and isinstance(end, int | float)
        if not numbers or not _filled(text):
            return f"holds {item!r}; write [start_s, end_s, {what}]"
        if not last - 1e-6 <= start <= end:
            before = "begins" if overlap else "ends"
            return f"holds {item!r}: times run backwards (the {what} before {before} at {last} s)"
        try:
            time_tag(end)
        except ValueError as error:
            return f"holds {item!r}: {error}"
        if text.strip() == SIL:
            return f"holds {item!r}: silence is no {what}; leave it out"
        last = start if overlap else end
    return _delimited([text for _, _, text in value], _TIME_LIKE)
