"""How often each task is drawn: from the weights of a phase, or from hours of audio."""


def head(task: str) -> str:
    """``asr/en`` -> ``asr``"""
    return task.partition("/")[0]


def spread(given: dict[str, float], hours: dict[str, float]) -> dict[str, float]:
    """Weights of tasks from those in YAML: ``asr`` covers what is left of ``asr/en``, ``asr/fr`` by hours.

    What ``template/asr`` covers is not left to ``template``.
    """
    weights = {}
    for name, weight in given.items():
        parts = [task for task in hours if task not in given and _covers(name, task, given)]
        if name in hours or not parts:
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
                task: weight for task, weight in phase["task_weights"].items() if head(task) not in tasks
            }
            if not weights:
                raise ValueError(
                    f"phases[{number}].task_weights has only {', '.join(tasks)}; keep one of them"
                )
            phase = phase | {"task_weights": weights}
        kept.append(phase)
    return kept


def phase_weights(
    number: int, phase: dict, hours: dict[str, float], counts: dict[str, int], temperature: float
) -> dict[str, float]:
    """task -> its share of the examples drawn in a phase; tasks without a share are left out.

    Args:
        number: of the phase, for messages.
        phase: its ``task_weights`` count, spread over languages; without them hours ** (1 / temperature).
        hours: of audio per task.
        counts: examples per task.

    Raises:
        ValueError: for a weight of a task without examples, or none above 0.
    """
    given = phase.get("task_weights")
    by_hours = {task: value ** (1 / temperature) for task, value in hours.items()}
    if given is None and not all(hours.values()):
        silent = next(task for task, value in hours.items() if not value)
        raise ValueError(f"task {silent} has no audio to weigh it by; give phases[{number}].task_weights")
    weights = by_hours if given is None else spread(given, by_hours)
    for task, weight in weights.items():
        if weight < 0 or weight and not counts.get(task):
            raise ValueError(
                f"phases[{number}].task_weights.{task} is {weight}, but the sets have"
                f" {counts.get(task, 0)} such examples; they have {counts}"
            )
    total = sum(weights.values())
    if not total > 0:
        raise ValueError(f"phases[{number}].task_weights are all zero; give one task a weight above 0")
    return {task: weight / total for task, weight in weights.items() if weight}
