"""The key ``chat`` of a task's YAML: how a user asks for the task in a chat, and what is answered.

``chat`` holds forms of question and answer (qwen_audio/chat/form.py). The first is the main one: its answer
says the whole target and is scored as the task is. Further forms ask for a part of it. In a form of a task
whose target is words or segments with times, ``{item}`` is one of them, ``{start_s}`` and ``{end_s}`` are
its times and ``{time_s}`` is its middle.

``alike`` says how several recordings are compared by a task's label: what it is called, and what is said of one
and of many recordings; ``mixed`` are pairs of labels of which one may hold where the other does.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass

from qwen_audio.chat.form import ChatForm, field_names, parse_form
from qwen_audio.chat.values import CHAT_LANGS
from qwen_audio.registry import nearest
from qwen_audio.task_fields import LANGUAGE

ALIKE, TIMED = "alike", ("words", "segments")
ITEM = {"item": "text", "start_s": "seconds", "end_s": "seconds", "time_s": "seconds"}
LABELS = ("label", "instrument")
_ALIKE_KEYS = ("what", "one", "many")
_MARKS = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True)
class Alike:
    """How recordings are compared by a label.

    Attributes:
        words: language -> ``{"what": "language", "one": "is in {label}", "many": "are in {label}"}``.
        mixed: pairs of labels that are not held against each other.
    """

    words: dict[str, dict[str, str]]
    mixed: frozenset[frozenset[str]]

    def apart(self, a: str, b: str) -> bool:
        """Whether two labels surely say different things."""
        return a != b and frozenset((a, b)) not in self.mixed


def chat_forms(spec) -> dict[str, ChatForm]:
    """The forms of ``spec`` (a TaskSpec) by name, the main one first; none where its YAML has no ``chat``."""
    return {
        name: parse_form(name, content, lambda field: value_kind(spec, field))
        for name, content in spec.chat.items()
        if name != ALIKE
    }


def main_form(spec) -> ChatForm:
    return next(iter(chat_forms(spec).values()))


def alike(spec) -> Alike | None:
    """How recordings are compared by the label of ``spec``; None where its YAML does not say."""
    content = spec.chat.get(ALIKE)
    if content is None:
        return None
    words = {lang: content[lang] for lang in CHAT_LANGS}
    return Alike(words, frozenset(frozenset(pair) for pair in content.get("mixed", ())))


def value_kind(spec, name: str) -> str:
    """Name of the kind of a field in qwen_audio/chat/values.py."""
    if name in LANGUAGE.names:
        return "language"
    if name in ITEM and timed_field(spec):
        return ITEM[name]
    if name in LABELS:
        return "label"
    return spec.kinds.get(name, "words" if spec.target == name == "words" else "text")


def timed_field(spec) -> str | None:
    """The field of ``spec`` that holds texts with times."""
    names = (name for name in spec.fields if name == spec.target or spec.kinds.get(name) in TIMED)
    return next(names, None)


def form_values(spec, form: ChatForm, row: dict, rng: random.Random) -> dict | None:
    """What fills ``form`` for an example; None where it has no field of that name, or no text with times
    that stands alone in it (one that is there twice has no one answer)."""
    values = {name: row[name] for name in form.fields if name in row}
    if form.fields & set(ITEM):
        items = single_items(row[timed_field(spec)], alone="time_s" in form.fields)
        if not items:
            return None
        start, end, text = rng.choice(items)
        values |= {"item": text, "start_s": start, "end_s": end, "time_s": round((start + end) / 2, 2)}
    return values if form.fields <= set(values) else None


def single_items(timed: list, alone: bool = False) -> list[tuple[float, float, str]]:
    """(start_s, end_s, text) of each text that stands once, without marks; ``alone``: and by itself in time."""
    bare = [(start, end, plain_word(text)) for start, end, text in timed]
    counts = Counter(text.casefold() for _, _, text in bare)
    return [
        (start, end, text)
        for start, end, text in bare
        if text and counts[text.casefold()] == 1 and start < end
        if not alone or sum(s < end and start < e for s, e, _ in bare) == 1
    ]


def plain_word(word: str) -> str:
    """``"off."`` -> ``off``."""
    return _MARKS.sub("", word)


def check_chat(spec) -> None:
    """Raises: ValueError naming what of the key ``chat`` does not fit the task."""
    if not spec.chat:
        return
    if not isinstance(spec.chat, dict):
        raise ValueError(f"chat is {spec.chat!r}; write a form by name, as in the file of asr")
    _check_alike(spec)
    forms = chat_forms(spec)
    if not forms:
        raise ValueError("chat has no form; write one by name, as in the file of asr")
    known = {*spec.fields, *spec.optional_fields, *(ITEM if timed_field(spec) else ())}
    for form in forms.values():
        for name in sorted(form.fields - known):
            raise ValueError(f"chat.{form.name}: {{{name}}} is no field of the task{nearest(name, known)}")
    lacking = set(spec.fields) - set(spec.prompt_fields) - main_form(spec).answered
    if lacking:
        raise ValueError(
            f"chat.{main_form(spec).name} is the first form and lacks {{{min(lacking)}}}; it answers all"
        )


def _check_alike(spec) -> None:
    content = spec.chat.get(ALIKE)
    if content is None:
        return
    for lang in CHAT_LANGS:
        words = content.get(lang) if isinstance(content, dict) else None
        if not isinstance(words, dict) or sorted(words) != sorted(_ALIKE_KEYS):
            raise ValueError(f"chat.{ALIKE}.{lang} is {words!r}; write {', '.join(_ALIKE_KEYS)}")
        for key in ("one", "many"):
            if field_names(words[key]) != ["label"]:
                raise ValueError(f"chat.{ALIKE}.{lang}.{key} is {words[key]!r}; write {{label}} into it once")
    if "label" not in spec.fields:
        raise ValueError(f"chat.{ALIKE} compares labels; the task has no field 'label'")


def check_apart(tasks: dict) -> None:
    """Raises: ValueError where a question stands in two forms and is answered differently."""
    seen: dict[str, tuple[str, str]] = {}
    for spec in tasks.values():
        for form in chat_forms(spec).values():
            for lang, asks in form.ask.items():
                for at, ask in enumerate(asks):
                    where, answer = f"{spec.name}.{form.name}", form.answer[lang][at % len(form.answer[lang])]
                    other = seen.setdefault(" ".join(ask.casefold().split()), (where, answer))
                    if other[1] != answer:
                        raise ValueError(
                            f"chat: {ask!r} stands in {other[0]} and in {where} with other answers; ask one otherwise"
                        )
