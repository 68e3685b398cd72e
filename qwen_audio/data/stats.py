"""Statistics of tokenised sets, from headers and token counts alone: no audio is decoded (stage 3)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.token_set import BLOCK, TokenSet

QUANTILES = (0.5, 0.95, 0.99)
BIN_SECONDS = 0.01  # quantiles are exact to this, or to one token, and need no sorting of the set
PLANNED_STEPS = 200  # of the batch plan that are looked at


def set_stats(data: TokenSet) -> dict[str, dict]:
    """Per task: rows, hours, tokens, and mean, quantiles and maximum of clip seconds and of target tokens."""
    found = {}
    for task in data.tasks:
        numbers, seconds, target = data.rows_of(task), _Histogram(), _Histogram()
        for begin in range(0, len(numbers), BLOCK):
            rows = data.rows[numbers[begin : begin + BLOCK]]
            seconds.add(rows["samples"] / (SAMPLE_RATE * BIN_SECONDS))
            target.add(rows["target"])
        counts = data.counts[task]
        found[task] = {
            "rows": counts["rows"],
            "hours": counts["samples"] / SAMPLE_RATE / 3600,
            "prompt_tokens": counts["prompt"],
            "target_tokens": counts["target"],
            "ctc_tokens": counts["ctc"],
            "seconds": {name: value * BIN_SECONDS for name, value in seconds.summary().items()},
            "target": target.summary(),
        }
    return found


def plan_stats(plan: BatchPlan, steps: int = PLANNED_STEPS) -> dict:
    """What the batches of the first ``steps`` steps hold: rows, seconds, positions, padding, tasks."""
    steps = min(steps, plan.steps)
    rows, tasks, positions, padded, samples = [], [], 0, 0, 0
    for step in range(steps):
        parts = plan.batch(step)
        rows.append(sum(map(len, parts)))
        names = {
            plan.sets[e["set"]].tasks[plan.sets[e["set"]].rows[e["row"]]["task"]]
            for part in parts
            for e in part
        }
        tasks.append(len(names))
        for part in filter(len, parts):
            sizes = plan.measure(part)
            positions += int(sizes.positions.sum())
            padded += len(part) * int(sizes.positions.max())
            samples += int(sizes.samples.sum())
    drawn = dict.fromkeys(plan.tasks, 0.0)
    for number, length in enumerate(plan.phase_steps()):
        for task, weight in plan.weights(number).items():
            drawn[task] += weight * length * sum(rows) / steps
    return {
        "steps": steps,
        "rows_per_step": {"mean": sum(rows) / steps, "min": min(rows), "max": max(rows)},
        "audio_seconds_per_step": samples / SAMPLE_RATE / steps,
        "positions_per_step": positions / steps,
        "padding": 1 - positions / padded,
        "tasks_per_step": sum(tasks) / steps,
        "weights": [plan.weights(number) for number in range(len(plan.phase_steps()))],
        # at this many rows a step
        "epochs": {task: count / plan.rows_of(task) for task, count in drawn.items()},
    }


def write_stats(sets: Sequence[TokenSet], folder: str | Path, plan: BatchPlan | None = None) -> str:
    """Write stats.json and stats.md into ``folder``. Returns: the table."""
    stats = {"sets": {str(data.folder): set_stats(data) for data in sets}}
    if plan is not None:
        stats["plan"] = plan_stats(plan)
    table = _table(stats)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stats.json").write_text(json.dumps(stats, indent=1) + "\n", encoding="utf-8")
    (folder / "stats.md").write_text(table, encoding="utf-8")
    return table


class _Histogram:
    """Counts of whole numbers; it grows with the largest, not with how many there are."""

    def __init__(self):
        self.counts, self.total, self.largest = np.zeros(1, np.int64), 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        self.total += float(values.sum())
        self.largest = max(self.largest, float(values.max()))
        counts = np.bincount(np.floor(values).astype(np.int64))
        if len(counts) > len(self.counts):
            counts, self.counts = self.counts, counts
        self.counts[: len(counts)] += counts

    def summary(self) -> dict[str, float]:
        number, below = int(self.counts.sum()), np.cumsum(self.counts)
        at = {f"p{round(100 * q)}": float(np.searchsorted(below, q * number)) for q in QUANTILES}
        return {"mean": self.total / number, **at, "max": self.largest}


def _table(stats: dict) -> str:
    lines = ["| set | task | examples | hours | seconds mean / p95 / max | target tokens mean / p95 / max |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    for name, tasks in stats["sets"].items():
        for task, found in tasks.items():
            clip, target = found["seconds"], found["target"]
            lines.append(
                f"| {Path(name).name} | {task} | {found['rows']:,} | {found['hours']:.2f}"
                f" | {clip['mean']:.2f} / {clip['p95']:.2f} / {clip['max']:.2f}"
                f" | {target['mean']:.1f} / {target['p95']:.0f} / {target['max']:.0f} |"
            )
    if "plan" in stats:
        plan = stats["plan"]
        rows = plan["rows_per_step"]
        lines += [
            "",
            f"First {plan['steps']} steps:"
            f" {rows['mean']:.1f} ({rows['min']} to {rows['max']}) examples a step,"
            f" {plan['audio_seconds_per_step']:.1f} s of audio, {plan['positions_per_step']:.0f} decoder"
            f" positions, {plan['padding']:.1%} padding, {plan['tasks_per_step']:.1f} tasks a step.",
            "Epochs in the whole run, about: "
            + ", ".join(f"{t} {n:.1f}" for t, n in plan["epochs"].items())
            + ".",
        ]
    return "\n".join(lines) + "\n"
