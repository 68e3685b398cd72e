"""Dialogues of one question about one recording, from the forms in the tasks' files."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from qwen_audio.chat.form import ChatForm
from qwen_audio.chat.templates import ITEM, chat_forms, form_values
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.score.join import request_key
from qwen_audio.sft.recordings import Recording, assistant, dialogue, user
from qwen_audio.task_fields import LANGUAGE

Rejected = tuple[str, str, str]  # what, id, reason


def template_dialogues(
    recordings: list[Recording], tasks: Mapping, langs: Sequence[str], count: int | None, seed: int
) -> tuple[list[Dialogue], list[Rejected]]:
    """A dialogue for every example and every form of its task.

    Args:
        langs: languages of the questions; each dialogue is in one of them.
        count: most dialogues of each form of each task, from each language it is about to each; None is all.

    Returns:
        The dialogues by task, form and recording, and what was rejected as (what, id, reason).
    """
    dialogues, rejected = [], []
    for spec in tasks.values():
        found = [(recording, row) for recording in recordings for row in recording.of(spec.name)]
        forms = chat_forms(spec)
        if found and not forms:
            rejected += [("example", row["utt"], f"no chat form: task {spec.name}") for _, row in found]
        for form in forms.values():
            rng = random.Random(f"{seed}/template/{spec.name}/{form.name}")
            needs = form.fields - set(ITEM)
            able = [(recording, row) for recording, row in found if needs <= set(row)]
            rng.shuffle(able)
            kept, counts = [], Counter()
            for recording, row in able:
                spoken = _languages(spec, row)
                if counts[spoken] == count:
                    continue
                name = f"{recording.utt}-{spec.name}-{form.name}"
                built, reason = _build(spec, form, recording, row, rng.choice(list(langs)), rng)
                if reason:
                    rejected.append(("dialogue", name, reason))
                else:
                    kept.append((name, *built))
                    counts[spoken] += 1
            dialogues += _named(sorted(kept, key=lambda item: item[0]), spec.name)
    return dialogues, rejected


def _build(spec, form: ChatForm, recording: Recording, row: dict, lang: str, rng) -> tuple[tuple, str]:
    values = form_values(spec, form, row, rng)
    if values is None:
        return (), "no single text: each stands twice or at the same time as another"
    question, answer = form.turn(rng.randrange(len(form.ask[lang])), lang, values)
    if not readable(form, answer, values):
        return (), "unreadable answer: its fields cannot be told apart"
    request = request_key(spec, row)
    rows = [row, *(r for r in recording.of(spec.name) if r is not row and _same(spec, r, row, request))]
    said = {name: values[name] for name in sorted(form.told)}
    facts = {"form": form.name, "lang": lang, "values": said, "rows": rows}
    return ([user([recording.audio], question), assistant(answer)], rows, facts), ""


def _same(spec, one: dict, other: dict, request: str) -> bool:
    """Whether two examples of a recording are references of one request."""
    return request_key(spec, one) == request and _languages(spec, one) == _languages(spec, other)


def _languages(spec, row: dict) -> tuple:
    """Of the audio and of the answer, where the task's prompt names them."""
    return tuple(row.get(name) for name in LANGUAGE.names if name in spec.prompt_fields)


def readable(form: ChatForm, answer: str, values: dict) -> bool:
    """Whether ``answer`` gives ``values`` back."""
    reading = form.read(answer)
    return bool(reading) and all(
        name in reading.fields and _plain(reading.fields[name]) == _plain(values[name])
        for name in form.answered
    )


def _plain(value):
    """As it is said: times in hundredths of a second, no white space around texts."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.strip() if isinstance(value, str) else round(value, 2)


def _named(kept: list[tuple], task: str) -> list[Dialogue]:
    """Dialogues of ``kept`` (name, messages, rows, facts); names that come again take a number."""
    times: dict[str, int] = {}
    found = []
    for name, messages, rows, facts in kept:
        times[name] = times.get(name, 0) + 1
        unique = name if times[name] == 1 else f"{name}-{times[name]}"
        found.append(dialogue(unique, messages, "template", task, rows, facts))
    return found
