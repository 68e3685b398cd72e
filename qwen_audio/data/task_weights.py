"""How often each task is drawn: from the weights of a phase, or from hours of audio."""

from qwen_audio.data.dialogue import SOURCES
from qwen_audio.registry import nearest
from qwen_audio.task_spec import load_tasks, task_of


def spread(given: dict[str, float], hours: dict[str, float]) -> dict[str, float]:
    """Weights of tasks from those in YAML: ``asr`` covers what is left of ``asr/en``, ``asr/fr`` by hours.

    What ``template/asr`` covers is not left to ``template``; of that, dialogues without a task are a part.
    """
    weights = {}
    for name, weight in given.items():
        parts = [task for task in hours if task == name or task not in given and _covers(name, task, given)]
        if parts in ([], [name]):  # its hours may be 0: text has none
            weights[name] = weight
        else:
            total = sum(hours[task] for task in parts)
            weights.update({task: weight * hours[task] / total for task in parts})
    return weights


def _covers(name: str, task: str, given: dict[str, float]) -> bool:
    """Whether ``name`` is the nearest of ``given`` above ``task``."""
    return name == max((other for other in given if task.startswith(f"{other}/")), key=len, default=None)


def leave_out(phases: list[dict], tasks: list[str]) -> list[dict]:
    """The phases of a configuration without weights of ``tasks``, in any language; the others get their share.

    Raises:
        ValueError: if a phase trains nothing else.
    """
    kept = []
    for number, phase in enumerate(phases):
        if phase.get("task_weights"):
            weights = {
                task: weight for task, weight in phase["task_weights"].items() if task_of(task) not in tasks
            }
            if not weights:
                raise ValueError(
                    f"phases[{number}].task_weights has only {', '.join(tasks)}; keep one of them"
                )
            phase = phase | {"task_weights": weights}
        kept.append(phase)
    return kept


def plan_weights(
    phases: list[dict], hours: dict[str, float], counts: dict[str, int], temperature: float
) -> tuple[list[dict[str, float]], list[str]]:
    """What the phases of a run draw, and what of their configuration the sets cannot serve.

    A weight of a task without examples is left out: one configuration serves sets of any tasks. A phase of which
    nothing is left draws nothing; if all are like that, the last draws every task of the sets alike.

    Args:
        phases: with ``task_weights`` each, spread over languages; without them hours ** (1 / temperature).
        hours: of audio per task.
        counts: examples per task.

    Returns:
        for each phase task -> its share of the examples drawn, tasks without a share left out; and a line for
        each phase that is not as it was written.

    Raises:
        ValueError: for a weight of what is no task, a weight below 0, or a phase whose weights are all zero.
    """
    found = [phase_weights(number, phase, hours, counts, temperature) for number, phase in enumerate(phases)]
    shares, lines = [weights for weights, _ in found], []
    rescued = not any(shares)
    if rescued:
        shares[-1] = dict.fromkeys(counts, 1 / len(counts))
    for number, (weights, missing) in enumerate(found):
        if missing:
            last = rescued and number == len(found) - 1
            then = "" if weights else "; it draws all tasks alike" if last else "; it is left out"
            names = ", ".join(
                f"other {n}" if any(t.startswith(f"{n}/") for t in weights) else n for n in missing
            )
            lines.append(f"phase {number}: the sets have no examples of {names}{then}")
    return shares, lines


def trained_tasks(phases: list[dict], shares: list[dict[str, float]], counts: dict[str, int]) -> list[str]:
    """The tasks of ``counts``, examples of each in the sets, that some phase draws.

    Args:
        phases, shares: as of ``plan_weights``, and what it gives.

    Raises:
        ValueError: if one is drawn by no phase, without being weighed by 0.
    """
    drawn = set().union(*shares)
    named = {name for phase in phases for name in phase.get("task_weights") or ()}
    lost = [
        f"{task} {count}"
        for task, count in counts.items()
        if task not in drawn and not any(f"{task}/".startswith(f"{name}/") for name in named)
    ]
    if lost:
        raise ValueError(
            f"the sets have examples that no phase draws: {', '.join(lost)}; weigh them in"
            f" phases[{len(phases) - 1}].task_weights, by 0 to leave them out, or name other --tasks in stage 2"
        )
    return [task for task in counts if task in drawn]


def phase_weights(
    number: int, phase: dict, hours: dict[str, float], counts: dict[str, int], temperature: float
) -> tuple[dict[str, float], list[str]]:
    """The shares of phase ``number``, and the names it weighs of which there are no examples; see plan_weights."""
    given = phase.get("task_weights")
    by_hours = {task: value ** (1 / temperature) for task, value in hours.items()}
    if given is None and not all(hours.values()):
        silent = next(task for task, value in hours.items() if not value)
        raise ValueError(f"task {silent} has no audio to weigh it by; give phases[{number}].task_weights")
    weights = by_hours if given is None else spread(given, by_hours)
    missing = [task for task, weight in weights.items() if weight and not counts.get(task)]
    for task, weight in weights.items():
        if weight < 0:
            raise ValueError(
                f"phases[{number}].task_weights.{task} is {weight}; write a weight above 0, or none"
            )
    for task in missing:
        check_name(f"phases[{number}].task_weights.{task}", task, counts)
    drawn = {task: weight for task, weight in weights.items() if weight and task not in missing}
    if not drawn and not missing:
        raise ValueError(f"phases[{number}].task_weights are all zero; give one task a weight above 0")
    total = sum(drawn.values())
    return {task: weight / total for task, weight in drawn.items()}, missing


def check_name(key: str, name: str, counts: dict[str, int]) -> None:
    """Raises: ValueError if ``name``, of which there are no examples, can have none in any sets."""
    tasks = load_tasks()
    source, _, task = name.partition("/")
    if source in tasks or name in SOURCES or source in SOURCES and task_of(task) in tasks:
        return
    part, valid = (task, tasks) if source in SOURCES else (source, [*tasks, *SOURCES])
    raise ValueError(f"{key}: there is no such task{nearest(part, valid)}; the sets have {counts}")
