"""Whether a question and answer that an LLM wrote from an example's labels may be trained on."""

import json
import re

from qwen_audio.chat.templates import value_kind
from qwen_audio.chat.values import say_label, say_language
from qwen_audio.score.accuracy import plain
from qwen_audio.tags import SPECIAL_TOKENS, split_tags

MOST_CHARACTERS = 600  # of a question, and of what an answer says besides the label
_TALK_OF_LABELS = re.compile(r"\b(labels?|metadata|json|ground.truth|annotat\w+|as an ai)\b", re.IGNORECASE)
_SPECIAL = frozenset(SPECIAL_TOKENS)


def parse_pair(text: str) -> tuple[str, str]:
    """Question and answer of ``{"question": ..., "answer": ...}``, which may stand between ``` marks.

    Raises:
        ValueError: the reason, its kind before the colon.
    """
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        found = json.loads(text)
    except ValueError:
        raise ValueError("not JSON: one object is asked for") from None
    if not isinstance(found, dict):
        raise ValueError("not JSON: one object is asked for")
    for key in ("question", "answer"):
        if not isinstance(found.get(key), str) or not found[key].strip():
            raise ValueError(f"no {key}: it must be a text that is not empty")
    return found["question"].strip(), found["answer"].strip()


def check_pair(spec, row: dict, lang: str, question: str, answer: str, others: set[str]) -> None:
    """Hold a question and answer against the labels of ``row``.

    Args:
        lang: language of both.
        others: the labels that other examples of the task have, as they are said in ``lang``.

    Raises:
        ValueError: the reason, its kind before the colon.
    """
    wanted = essential(spec, row, lang)
    if len(question) > MOST_CHARACTERS or len(answer) > MOST_CHARACTERS + sum(map(len, wanted)):
        raise ValueError(f"too long: more than {MOST_CHARACTERS} characters besides the label")
    if any(piece in _SPECIAL for text in (question, answer) for piece in split_tags(text)):
        raise ValueError("special token: it stands in the text")
    if _TALK_OF_LABELS.search(f"{question} {answer}"):
        raise ValueError("talks of labels: a user knows of none")
    for text in wanted:
        if not holds(answer, text):
            raise ValueError("not supported: the answer lacks the label")
    asked = [str(row[name]) for name in spec.prompt_fields if name in row]
    if any(holds(question, text) and not any(holds(there, text) for there in asked) for text in wanted):
        raise ValueError("leaks: the question holds the answer")
    if "label" in spec.fields and any(
        holds(answer, other) and not any(holds(text, other) for text in wanted) for other in others
    ):
        raise ValueError("another label: the answer holds one that is not the recording's")


def essential(spec, row: dict, lang: str) -> list[str]:
    """The texts that an answer must hold, word for word."""
    found = []
    for name in spec.fields:
        if name in spec.prompt_fields:
            continue
        kind, value = value_kind(spec, name), row[name]
        if kind in ("words", "segments"):
            found += [" ".join(text for _, _, text in value)] if kind == "words" else [x for _, _, x in value]
        elif kind == "pairs":
            found += [text for _, text in value]
        elif kind in ("listed", "texts"):
            found += value
        else:
            found.append(say_label(value, lang) if kind == "label" else str(value))
    return found


def facts_of(spec, row: dict) -> dict:
    """The labels of ``row`` as they are shown to the LLM."""
    shown = {}
    for name in [*spec.fields, *spec.optional_fields]:
        if name in row:
            kind = value_kind(spec, name)
            shown[name] = say_language(row[name], "en") if kind == "language" else row[name]
    return shown


def holds(text: str, part: str) -> bool:
    """Whether ``part`` stands in ``text`` as whole words, without regard for case and marks."""
    text, part = plain(text), plain(part)
    if not part or any("\u3040" <= char <= "\u9fff" for char in part):
        return part in text
    return f" {part} " in f" {text} "
