"""A form of question and answer: several phrasings in several languages, with fields to fill in.

The answer to the i-th question is phrased as the i-th answer, counted round: what is to be written follows
from what is asked. An answer is read back by the same phrasings.
"""

import functools
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

from qwen_audio.chat.values import CHAT_LANGS, SPOKEN
from qwen_audio.registry import nearest
from qwen_audio.task_fields import LANGUAGE

LABEL_WORDS = 5  # what is longer and phrased freely is a sentence, no label
_ENDS = " .。!！?？"
_QUOTES = re.compile(r'["“](.*)["”]', re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """What an answer says: field -> value; ``lenient`` where it is not phrased as it was taught."""

    fields: dict
    lenient: bool


@dataclass(frozen=True)
class ChatForm:
    """One form.

    Attributes:
        name: its key in the YAML.
        ask, answer: language of the chat -> phrasings.
        kind: name of a field -> name of its kind in qwen_audio/chat/values.py.
    """

    name: str
    ask: dict[str, tuple[str, ...]]
    answer: dict[str, tuple[str, ...]]
    kind: Callable[[str], str]

    @property
    def fields(self) -> set[str]:
        """What stands in questions and answers."""
        return {name for line in self.lines for name in field_names(line)}

    @property
    def answered(self) -> set[str]:
        """What every answer holds."""
        return set.intersection(*(set(field_names(line)) for lines in self.answer.values() for line in lines))

    @property
    def told(self) -> set[str]:
        """What every answer holds and no question does: the answer itself. Languages are not it."""
        asked = {name for lines in self.ask.values() for line in lines for name in field_names(line)}
        return self.answered - asked - set(LANGUAGE.names)

    @property
    def lines(self) -> list[str]:
        return [line for part in (self.ask, self.answer) for lines in part.values() for line in lines]

    def turn(self, at: int, lang: str, values: dict) -> tuple[str, str]:
        """The ``at``-th question in ``lang``, counted round, and its answer."""
        asks, answers = self.ask[lang], self.answer[lang]
        at %= len(asks)
        return self._fill(asks[at], lang, values), self._fill(answers[at % len(answers)], lang, values)

    def read(self, text: str) -> Reading | None:
        """What an answer says. Phrasings in any language, then them without regard for case and end marks,
        then what can only be meant: two times, one number, the words in quotes or all of them for a text, as long
        as they are few for a label.
        """
        text = text.strip()
        for lang, pattern in self._patterns:
            if (match := pattern.fullmatch(text)) and (fields := self._hear(match, lang)):
                return Reading(fields, False)
        for lang, pattern in self._patterns_lenient:
            match = pattern.fullmatch(" ".join(text.split()).rstrip(_ENDS))
            if match and (fields := self._hear(match, lang)):
                return Reading(fields, True)
        fields = self._only_meant(text)
        return Reading(fields, True) if fields else None

    def _fill(self, line: str, lang: str, values: dict) -> str:
        return line.format(
            **{name: SPOKEN[self.kind(name)].say(values[name], lang) for name in field_names(line)}
        )

    def _hear(self, match: re.Match, lang: str) -> dict | None:
        found = {name: SPOKEN[self.kind(name)].hear(words, lang) for name, words in match.groupdict().items()}
        return None if None in found.values() else found

    def _only_meant(self, text: str) -> dict | None:
        wanted = sorted(self.told)
        if wanted == ["end_s", "start_s"]:
            times = re.findall(r"\d+\.\d+", text)
            return {"start_s": float(times[0]), "end_s": float(times[1])} if len(times) == 2 else None
        if len(wanted) != 1 or not text:
            return None
        name = wanted[0]
        kind = self.kind(name)
        if kind in ("number", "numbers"):
            numbers = [int(number) for number in re.findall(r"\d+", text, re.ASCII)]
            if kind == "numbers":
                return {name: numbers} if numbers else None
            return {name: numbers[0]} if len(numbers) == 1 else None
        if kind == "yes":
            return self._first_word(name, text)
        if kind not in ("text", "label"):
            return None
        quoted = _QUOTES.search(text)
        words = (quoted[1] if quoted else text if kind == "text" else text.strip(_ENDS)).strip()
        if kind == "label" and len(words.split()) > LABEL_WORDS:
            return None
        return {name: words} if words else None

    def _first_word(self, name: str, text: str) -> dict | None:
        word = re.match(r"[A-Za-z]+|[是否]", text)
        heard = [SPOKEN["yes"].hear(word[0], lang) for lang in CHAT_LANGS] if word else []
        return next(({name: value} for value in heard if value is not None), None)

    @functools.cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern]]:
        """(language, pattern) of each answer; what holds more text of its own first."""
        lines = [(lang, line) for lang, lines in self.answer.items() for line in lines]
        lines.sort(key=lambda item: -len(re.sub(r"{\w+}", "", item[1])))
        return [(lang, _pattern(line, re.DOTALL)) for lang, line in lines]

    @functools.cached_property
    def _patterns_lenient(self) -> list[tuple[str, re.Pattern]]:
        lines = [(lang, line.rstrip(_ENDS)) for lang, lines in self.answer.items() for line in lines]
        return [(lang, _pattern(line, re.DOTALL | re.IGNORECASE)) for lang, line in lines]

    def check(self) -> None:
        """Raises: ValueError naming what of the form does not fit together."""
        for lang in CHAT_LANGS:
            for part in (self.ask, self.answer):
                if not part.get(lang):
                    raise ValueError(f"form {self.name!r} has no ask or no answer in {lang!r}; write both")
            if len(set(self.ask[lang])) < len(self.ask[lang]):
                raise ValueError(f"form {self.name!r} asks the same twice in {lang!r}; write it once")
        for lines in self.answer.values():
            for line in lines:
                names = field_names(line)
                if len(set(names)) < len(names):
                    raise ValueError(f"form {self.name!r}: a field stands twice in {line!r}; write it once")
                lacking = (self._all_answered - set(names)) - set(LANGUAGE.names)
                if lacking:
                    raise ValueError(
                        f"form {self.name!r}: {line!r} lacks {{{min(lacking)}}} of other answers"
                    )
                if re.search(r"}\s*{", line):
                    raise ValueError(f"form {self.name!r}: no text between the fields of {line!r}")
        if not self.told:
            raise ValueError(
                f"form {self.name!r}: its answers hold no field of their own; write {{label}} or the like"
            )

    @property
    def _all_answered(self) -> set[str]:
        return {name for lines in self.answer.values() for line in lines for name in field_names(line)}


def parse_form(name: str, content: dict, kind: Callable[[str], str]) -> ChatForm:
    """The form that ``{en: {ask: [...], answer: [...]}, zh: ...}`` describes.

    Raises:
        ValueError: naming the key or the line that is wrong.
    """
    if not isinstance(content, dict):
        raise ValueError(f"form {name!r} is {content!r}; write `en: {{ask: [...], answer: [...]}}`")
    parts: dict[str, dict] = {"ask": {}, "answer": {}}
    for lang, lines in content.items():
        if lang not in CHAT_LANGS:
            raise ValueError(f"form {name!r}: language {lang!r}{nearest(lang, CHAT_LANGS)}")
        for part in lines if isinstance(lines, dict) else {"": lines}:
            if part not in parts:
                raise ValueError(f"form {name!r}: {lang}: {part!r}{nearest(part, parts)}")
            if not isinstance(lines[part], list) or not all(isinstance(x, str) for x in lines[part]):
                raise ValueError(f"form {name!r}: {lang}: {part} is {lines[part]!r}; write a list of texts")
            parts[part][lang] = tuple(lines[part])
    form = ChatForm(name, parts["ask"], parts["answer"], kind)
    form.check()
    return form


def field_names(line: str) -> list[str]:
    """``In {text_lang}: {text}`` -> ``["text_lang", "text"]``."""
    return [name for _, name, _, _ in string.Formatter().parse(line) if name]


def _pattern(line: str, flags: re.RegexFlag) -> re.Pattern:
    pieces = string.Formatter().parse(line)
    text = "".join(
        re.escape(literal) + (f"(?P<{name}>.+?)" if name else "") for literal, name, _, _ in pieces
    )
    return re.compile(text, flags)
