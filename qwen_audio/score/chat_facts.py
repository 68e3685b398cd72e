"""Answers of a chat that are right or wrong: which, how many, the same, in what order, what, when.

A time is right within TOLERANCE_S at both ends; words are right if they are the same after Whisper's normaliser;
all else must be equal, case and marks of labels aside.
"""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from qwen_audio.chat.form import ChatForm, Reading
from qwen_audio.chat.templates import chat_forms
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.score.accuracy import plain
from qwen_audio.score.bootstrap import ci95
from qwen_audio.score.normalise import normaliser
from qwen_audio.sft.joined_forms import joined_forms

TOLERANCE_S = 0.2
TIMES = ("start_s", "end_s")
# named by what is answered; else its own name
_METRICS = {"labels": "order", "text": "said", "end_s": "when"}


class Taught:
    """Answers of training dialogues by task and form of the question, counted as they are read."""

    def __init__(self, dialogues: Iterable[Dialogue] = ()):
        self._counts: dict[tuple, dict[str, Counter]] = {}
        self._common: dict[tuple, dict] = {}
        for dialogue in dialogues:
            counts = self._counts.setdefault(_key(dialogue), defaultdict(Counter))
            for name, value in dialogue.about.get("facts", {}).get("values", {}).items():
                counts[name][json.dumps(value)] += 1

    def common(self, dialogue: Dialogue) -> dict | None:
        """What to answer to ``dialogue`` without listening: each value's most frequent one, of times the median.

        None where training has no such question.
        """
        key = _key(dialogue)
        if key not in self._common and key in self._counts:
            self._common[key] = {name: _usual(name, counts) for name, counts in self._counts[key].items()}
        return self._common.get(key)


def score_facts(
    dialogues: list[Dialogue], answers: Mapping[str, dict], where: dict, taught: Taught, tasks: Mapping
) -> list[dict]:
    """A row of results.json for each task and kind of question; see score_chat for the arguments.

    The baseline answers each question with the most frequent answer of its form in training, a time with the
    median times. Among the parts are ``lenient`` and, where dialogues have several questions, ``later_turns``:
    the score and count of those whose last question was not the first.
    """
    groups: dict[tuple[str, str], list[Dialogue]] = defaultdict(list)
    for dialogue in dialogues:
        groups[dialogue.about["task"], _metric(dialogue, tasks)].append(dialogue)
    return [
        {**where, "task": task, "metric": metric, **_row(groups[task, metric], answers, taught, tasks)}
        for task, metric in sorted(groups)
    ]


def right(dialogue: Dialogue, form: ChatForm, found: dict) -> bool:
    """Whether ``found`` (field -> value) is the exact answer of the dialogue."""
    wanted = dialogue.about["facts"]["values"]
    if set(TIMES) <= form.told:
        return all(abs(found[name] - wanted[name]) <= TOLERANCE_S + 1e-9 for name in TIMES)
    return all(_same(dialogue, form.kind(name), found[name], wanted[name]) for name in form.told)


def _same(dialogue: Dialogue, kind: str, found, wanted) -> bool:
    if kind == "text":
        plainly = normaliser("whisper", _lang(dialogue))
        return plainly(found) == plainly(wanted)
    # qualities; of recordings the order is asked
    if kind == "listed" and dialogue.about["source"] == "template":
        return sorted(_plain(found)) == sorted(_plain(wanted))
    return _plain(found) == _plain(wanted)


def _row(dialogues, answers, taught, tasks) -> dict:
    forms = [_form(dialogue, tasks) for dialogue in dialogues]
    readings: list[Reading | None] = [
        form.read(answers[dialogue.id]["hyp"]) for dialogue, form in zip(dialogues, forms, strict=True)
    ]
    scores = [
        int(reading is not None and right(dialogue, form, reading.fields))
        for dialogue, form, reading in zip(dialogues, forms, readings, strict=True)
    ]
    later = [score for score, item in zip(scores, dialogues, strict=True) if _questions(item) > 1]
    timed = set(TIMES) <= forms[0].told
    parts = {"lenient": sum(reading is not None and reading.lenient for reading in readings)}
    if later:
        parts["later_turns"] = {"score": sum(later) / len(later), "count": len(later)}
    known = any("looped" in answers[dialogue.id] for dialogue in dialogues)
    return {
        "lang": "+".join(sorted({dialogue.about["facts"]["lang"] for dialogue in dialogues})),
        "protocol": f"within_{TOLERANCE_S:g}s" if timed else "exact",
        "score": sum(scores) / len(scores),
        "count": len(scores),
        "unit": "fraction",
        "ci95": ci95(scores, [1] * len(scores), map(_heard, dialogues)),
        **_baseline(dialogues, forms, taught, timed),
        "label_origin": "+".join(sorted({o for d in dialogues for o in d.about["label_origin"].split("+")})),
        "malformed": sum(reading is None for reading in readings),
        "looped": sum(answers[d.id].get("looped", False) for d in dialogues) if known else None,
        "missing": 0,
        "parts": parts,
    }


def _baseline(dialogues, forms, taught, timed: bool) -> dict:
    name = "median" if timed else "majority"
    given = [taught.common(dialogue) for dialogue in dialogues]
    if None in given:
        return {"baseline": None, "baseline_name": f"{name} (no training dialogues given)"}
    scores = [right(d, form, values) for d, form, values in zip(dialogues, forms, given, strict=True)]
    return {"baseline": sum(scores) / len(scores), "baseline_name": name}


def _usual(name: str, counts: Counter):
    if name in TIMES:
        return statistics.median(float(value) for value in counts.elements())
    return json.loads(counts.most_common(1)[0][0])


def _key(dialogue: Dialogue) -> tuple[str, str]:
    return dialogue.about["task"], dialogue.about.get("facts", {}).get("form", "")


def _form(dialogue: Dialogue, tasks: Mapping) -> ChatForm:
    task, name = _key(dialogue)
    forms = joined_forms() if dialogue.about["source"] == "joined" else chat_forms(tasks[task])
    if name not in forms:
        raise ValueError(f"{dialogue.id}: facts.form {name!r} is unknown now; run make_sft anew")
    return forms[name]


def _metric(dialogue: Dialogue, tasks: Mapping) -> str:
    form = _form(dialogue, tasks)
    if set(TIMES) <= form.told:
        return _METRICS["end_s"]
    if dialogue.about["source"] == "template":
        return form.name
    name = _only(form)
    return _METRICS.get(name, name)


def _only(form: ChatForm) -> str:
    """The one field that is the answer."""
    (name,) = form.told
    return name


def _questions(dialogue: Dialogue) -> int:
    return sum(message.role == "user" for message in dialogue.messages)


def _heard(dialogue: Dialogue) -> frozenset[str]:
    """Its recordings; dialogues about the same ones are drawn together for the interval."""
    return frozenset(audio for message in dialogue.messages for audio in message.audios)


def _lang(dialogue: Dialogue) -> str:
    """Language of the words that are asked for."""
    facts = dialogue.about["facts"]
    return facts.get("text_lang") or next(iter(facts.get("rows", [{}]))).get("text_lang", "en")


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return plain(value) if isinstance(value, str) else value
