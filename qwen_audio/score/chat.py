"""Scores of answers in a chat: each task asked as a free question, and questions with one exact answer.

An answer to a task's main form is read back into the task's fields and scored by the task's own metrics, so that
it stands beside the score of the tagged prompt. What cannot be read is malformed; an error rate still reads its
words. Answers to other forms, and over several recordings, are right or wrong (qwen_audio/score/chat_facts.py).
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from qwen_audio.chat.templates import main_form
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.score.chat_facts import Taught, score_facts
from qwen_audio.score.join import Group, group_key, new_group, request_key
from qwen_audio.score.recipe import score_group
from qwen_audio.score.registry import name_some
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.task_spec import TaskSpec, load_tasks


def score_chat(
    dialogues: list[Dialogue],
    answers: Mapping[str, dict],
    where: dict,
    labels: TrainLabels,
    dump: Path,
    taught: Taught,
) -> list[dict]:
    """Score the answers to the last question of each dialogue.

    Args:
        dialogues: of the test set, as ``qwen-audio make_sft`` writes them from ``dump``. Those an LLM wrote,
            and those of text alone, have no exact answer and are left out.
        answers: id of a dialogue -> ``{"hyp": text, "looped": bool}``; ``looped`` may be left out.
        where: ``{"model", "stage", "set"}``, copied into each row.
        labels: of the training sets; the tasks' baselines take them.
        dump: the prepared set, for the lengths of recordings.
        taught: answers of the training dialogues; baselines of exact answers take the most frequent ones.

    Returns:
        Rows of results.json, as score_group has them, with ``lenient`` among their parts: answers that were
        read though they are not phrased as taught. Rows of several recordings have the task ``joined``.

    Raises:
        ValueError: a dialogue without an answer, or none that can be scored.
    """
    scored = [item for item in dialogues if item.about.get("source") in ("template", "joined")]
    if not scored:
        raise ValueError("nothing to score: no dialogue has the source template or joined; run make_sft anew")
    lacking = [item.id for item in scored if item.id not in answers]
    if lacking:
        raise ValueError(f"{name_some(lacking)} without an answer; decode them")
    tasks = load_tasks()
    asked = [item for item in scored if asks_task(item, tasks)]
    rows = [
        row
        for group, read in _groups(asked, answers, tasks)
        for row in _task_rows(group, read, where, labels, dump)
    ]
    exact = [item for item in scored if not asks_task(item, tasks)]
    return rows + score_facts(exact, answers, where, taught, tasks)


def asks_task(dialogue: Dialogue, tasks: Mapping[str, TaskSpec]) -> bool:
    """Whether the dialogue asks for the whole answer of a task."""
    about = dialogue.about
    return about["source"] == "template" and about["facts"]["form"] == main_form(tasks[about["task"]]).name


def written(spec: TaskSpec, row: dict, answer: str) -> tuple[str, str]:
    """A free answer as the task writes it, and how it was read: ``phrased`` as taught, ``lenient``, or
    ``unread``: then it stands as it is.

    Args:
        row: an example of the request, for what the prompt holds.
    """
    reading = main_form(spec).read(answer)
    if reading is None:
        return answer, "unread"
    fields = {name: row[name] for name in spec.prompt_fields} | {
        name: value for name, value in reading.fields.items() if name not in spec.prompt_fields
    }
    try:
        spec.check(fields)  # times that run backwards, numbers that have no token
    except ValueError:
        return answer, "unread"
    return spec.target_text(fields), "lenient" if reading.lenient else "phrased"


def _groups(dialogues, answers, tasks) -> list[tuple[Group, Counter]]:
    """Groups by task and language, each with how many answers were read how."""
    found: dict[tuple, tuple[Group, Counter]] = {}
    for dialogue in sorted(dialogues, key=lambda item: item.id):
        spec, rows = tasks[dialogue.about["task"]], dialogue.about["facts"]["rows"]
        group, read = found.setdefault(group_key(spec, rows[0]), (new_group(spec, rows[0]), Counter()))
        request = request_key(spec, rows[0])
        if request in group.rows:
            continue  # the same request in other words, for another of its references
        text, how = written(spec, rows[0], answers[dialogue.id]["hyp"])
        group.rows[request] = [_without(row, spec.optional_fields) for row in rows]
        group.hyps[request] = answers[dialogue.id] | {"hyp": text}
        read[how] += 1
    return [found[key] for key in sorted(found)]


def _task_rows(group: Group, read: Counter, where, labels, dump) -> list[dict]:
    rows = score_group(group, where, labels, dump)
    for row in rows:
        row["malformed"] = read["unread"]
        row["parts"]["lenient"] = read["lenient"]
    return rows


def _without(row: dict, names: list[str]) -> dict:
    return {name: value for name, value in row.items() if name not in names}
