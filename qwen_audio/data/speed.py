"""``speed_perturb``: which tasks of a run change their speed, and which never may."""

from collections.abc import Mapping

from qwen_audio.data.dialogue import SOURCES
from qwen_audio.data.task_weights import check_name
from qwen_audio.task_spec import TaskSpec, load_tasks, task_of

KEY = "speed_perturb.tasks has"
SILENT = "text"  # dialogues without audio


def speeds(options: dict, counts: Mapping[str, int]) -> dict[str, list[float]]:
    """Task of the sets -> the factors that its clips are played at; those that keep their speed are left out.

    A name covers what stands below it: ``asr`` ``asr/en``, and ``template/asr`` ``template/asr/en``.

    Args:
        options: ``{factors, tasks}``, or empty.
        counts: task of the sets -> its examples.

    Raises:
        ValueError: for what is no task, and a task whose answers another speed makes wrong.
    """
    found, specs = {}, load_tasks() if options else {}
    for name in options.get("tasks", ()):
        covered = [task for task in counts if task == name or task.startswith(f"{name}/")]
        if not covered:
            check_name(f"{KEY} {name!r}", name, counts)
        _check_answers(name, specs)
        found |= dict.fromkeys(covered, options["factors"])
    return found


def _check_answers(name: str, specs: Mapping[str, TaskSpec]) -> None:
    """Raises: ValueError if answers of ``name`` are measured in the audio: times, pitches."""
    source, _, below = name.partition("/")
    task = task_of(below if source in SOURCES else name)
    if task in specs:
        spec = specs[task]
        names = [*spec.fields, *spec.optional_fields]
        measured = {field: spec.kind(field).measures for field in names if spec.kind(field).measures}
        if measured:
            told = ", ".join(f"{field} ({what})" for field, what in measured.items())
            raise ValueError(
                f"{KEY} {name!r}: at another speed its answers are wrong, which hold {told}; leave it out"
            )
    elif name in SOURCES and name != SILENT:
        mend = "leave it out" if name == "joined" else f"name its tasks, such as {name}/asr"
        raise ValueError(
            f"{KEY} {name!r}: at another speed those of its answers are wrong that hold times or pitches; {mend}"
        )
