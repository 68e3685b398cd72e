"""The batch plan: which rows the global batch of a step holds, as a pure function of (seed, step).

How it works. Each task has an endless stream of rows: epoch after epoch, each a keyed permutation of the
task's rows, so nothing is lost or seen twice within an epoch and nothing is kept in memory. A *window* draws
the next rows of every task, as many as ``batch_conf.window`` batches take, shared among the tasks by weight.
Its rows are sorted by length and cut into parts within the budget; a batch is ``accum_grad`` parts, taken
from evenly spaced places of the sorted window: each part is of one length, the batch spans all lengths. The
batches of a window come in shuffled order. A window never crosses the end of a phase; it shrinks there.

Where a window begins is known only by counting those before it. That is integer arithmetic without any audio
(0.1 ms a step), and ``position(step)``, a handful of integers kept in each checkpoint, saves it.
Nothing depends on the number of processes: they deal the rows of each part among themselves (``share``).
"""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.packing import (
    ENTRY_DTYPE,
    Budget,
    FramesOf,
    Sizes,
    check_rows,
    measure,
    pack_evenly,
)
from qwen_audio.data.permutation import choose, key, permute
from qwen_audio.data.speed import speeds
from qwen_audio.data.task_weights import plan_weights, trained_tasks
from qwen_audio.data.token_set import TokenSet, task_list

WINDOW = 16  # batches per window; with 32 clips of 1 to 10 s a batch 4 % is padding (1: 40, 4: 15, 64: 1 %)
KEPT_WINDOWS = 8


def share(part: np.ndarray, rank: int, world: int) -> np.ndarray:
    """The rows of ``part`` that ``rank`` works on: dealt in order of length, so that all have like work."""
    return part[rank::world]


class BatchPlan:
    """Batches of a whole run.

    Args:
        sets: training sets.
        phases: ``{steps, task_weights?}`` each; a task's weight is hours ** (1 / temperature) by default. A phase
            of whose tasks the sets have no examples takes no step (task_weights.py).
        batch_conf: ``max_positions``, ``max_seconds``, ``max_examples`` of a global batch, padding included;
            ``window``: batches that are sorted together.
        frames_of: decoder positions of clips, from their samples at 16 kHz; maps (N,) int64 to (N,) int64.
        accum_grad: parts of a batch.
        task_temperature: 1 weighs tasks by hours, more evens them out.
        speed_perturb: ``{factors: [0.9, 1.0, 1.1], tasks: [asr]}``; other tasks keep their speed (speed.py).

    Raises:
        ValueError: for a weight or a changed speed of what is no task, a changed speed of a task whose answers are
            times or pitches, or a row above the budget (named).
    """

    def __init__(
        self,
        sets: Sequence[TokenSet],
        phases: list[dict],
        batch_conf: dict,
        frames_of: FramesOf,
        seed: int = 0,
        accum_grad: int = 1,
        task_temperature: float = 1.0,
        speed_perturb: dict | None = None,
    ):
        self.sets, self.seed, self.accum_grad = list(sets), seed, accum_grad
        self.frames_of, self.budget = frames_of, Budget.from_config(batch_conf, accum_grad)
        self.tasks = task_list(self.sets)
        self.window = batch_conf.get("window") or WINDOW
        self._rows = {task: [data.rows_of(task) for data in self.sets] for task in self.tasks}
        self._counts = {task: sum(map(len, rows)) for task, rows in self._rows.items()}
        self._speeds = speeds(speed_perturb or {}, self._counts)
        hours = {task: self._hours(task) for task in self.tasks}
        self._phases = phases
        self._weights, self._left_out = plan_weights(phases, hours, self._counts, task_temperature)
        self._ends = list(
            itertools.accumulate(
                phase["steps"] if weights else 0 for phase, weights in zip(phases, self._weights, strict=True)
            )
        )
        used = [task for task in self.tasks if any(task in weights for weights in self._weights)]
        slowest = {task: min(factors) for task, factors in self._speeds.items()}
        check_rows(self.sets, used, self.budget, frames_of, slowest)
        self._rows_per_window = [self._average_rows(weights) if weights else 0 for weights in self._weights]
        self._known: dict[int, _Window] = {}

    @classmethod
    def from_config(cls, sets: Sequence[TokenSet], config: dict, frames_of: FramesOf) -> "BatchPlan":
        """The plan of a training config (see qwen_audio/train/defaults.py)."""
        if not config["phases"]:
            raise ValueError(
                "phases is empty; write for example phases: [{steps: 1000, loss_weights: {lm: 1.0}}]"
            )
        return cls(
            sets,
            config["phases"],
            config["batch_conf"],
            frames_of,
            config["seed"],
            config["accum_grad"],
            config["task_temperature"],
            config["speed_perturb"],
        )

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return self._ends[-1]

    def phase(self, step: int) -> int:
        """Number of the phase that ``step`` belongs to."""
        return bisect.bisect_right(self._ends, step)

    def weights(self, phase: int) -> dict[str, float]:
        """task -> share of the examples drawn in ``phase``."""
        return self._weights[phase]

    def phase_steps(self) -> list[int]:
        """Steps of each phase; 0 of one that is left out."""
        return np.diff([0, *self._ends]).tolist()

    def batch(self, step: int) -> list[np.ndarray]:
        """The ``accum_grad`` parts of the batch of ``step``; each (rows,) ENTRY_DTYPE, longest first."""
        window = self._window_of(step)
        return window.batches[step - window.begin]

    def position(self, step: int) -> dict:
        """Where the window of ``step`` begins, JSON-able; with it ``seek`` finds ``step`` again at once."""
        window = self._window_of(step)
        return {"step": window.begin, "window": window.number, "taken": window.taken}

    def seek(self, position: dict) -> None:
        """Take over what ``position`` returned in another process of the same plan."""
        self._keep(self._build(position["step"], position["window"], position["taken"]))

    def measure(self, part: np.ndarray) -> Sizes:
        """What the rows of ``part`` take."""
        return measure(self.sets, part, self.frames_of)

    def rows_of(self, task: str) -> int:
        """Examples of ``task`` in the sets."""
        return self._counts[task]

    def trained(self) -> list[str]:
        """The tasks that some phase draws. Raises: ValueError if one of the sets is silently drawn by none."""
        return trained_tasks(self._phases, self._weights, self._counts)

    def describe(self) -> list[str]:
        """Lines that say what is trained on, what no set has of it, and what the sets hold but no phase draws."""
        lines = list(self._left_out)
        for number, weights in enumerate(self._weights):
            if not weights:
                continue
            parts = [
                f"{task} {weight:.1%} ({self._counts[task]} examples)" for task, weight in weights.items()
            ]
            lines.append(f"phase {number} to step {self._ends[number]}: " + ", ".join(parts))
            unused = [f"{task} ({self._counts[task]} examples)" for task in self.tasks if task not in weights]
            if unused:
                lines.append(f"phase {number} leaves out " + ", ".join(unused))
        return lines

    def _hours(self, task: str) -> float:
        samples = sum(data.counts[task]["samples"] for data in self.sets if task in data.counts)
        return samples / SAMPLE_RATE / 3600

    def _average_rows(self, weights: dict[str, float]) -> int:
        """Rows that ``window`` batches of average length take."""
        positions = samples = 0.0
        for task, weight in weights.items():
            sums = [data.counts[task] for data in self.sets if task in data.counts]
            rows = sum(count["rows"] for count in sums)
            mean_samples = sum(count["samples"] for count in sums) / rows
            text = sum(count["prompt"] + count["target"] for count in sums) / rows
            positions += weight * (int(self.frames_of(np.array([int(mean_samples)]))[0]) + text)
            samples += weight * mean_samples
        part = min(
            self.budget.examples, self.budget.positions / positions, self.budget.samples / max(samples, 1.0)
        )
        return max(1, int(part * self.accum_grad * self.window))

    def _window_of(self, step: int) -> "_Window":
        if not 0 <= step < self.steps:
            raise ValueError(f"step {step} is outside the {self.steps} steps of the phases")
        before = [begin for begin in self._known if begin <= step]
        window = self._known[max(before)] if before else self._build(0, 0, {})
        while step >= window.end:
            window = self._build(window.end, window.number + 1, window.taken_after)
        self._keep(window)
        return window

    def _keep(self, window: "_Window") -> None:
        self._known[window.begin] = window
        if len(self._known) > KEPT_WINDOWS:
            del self._known[min(self._known)]

    def _build(self, begin: int, number: int, taken: dict[str, int]) -> "_Window":
        phase = self.phase(begin)
        left, rows = self._ends[phase] - begin, self._rows_per_window[phase]
        window = self._cut(begin, number, taken, rows)
        if window.end - begin > left:  # the phase ends within: the most rows that do not reach beyond
            low, high = 1, rows
            while high - low > 1:
                middle = (low + high) // 2
                fits = self._cut(begin, number, taken, middle).end - begin <= left
                low, high = (middle, high) if fits else (low, middle)
            window = self._cut(begin, number, taken, low)
        return window

    def _cut(self, begin: int, number: int, taken: dict[str, int], rows: int) -> "_Window":
        """Draw ``rows`` rows, sort them by length, cut them into parts, group the parts into batches."""
        entries, taken_after = self._draw(self._weights[self.phase(begin)], number, taken, rows)
        entries = entries[permute(np.arange(rows), rows, key(self.seed, "ties", number))]  # of equal length
        sizes = self.measure(entries)
        order = np.argsort(-sizes.positions, kind="stable")
        ends = pack_evenly(sizes[order], self.budget, self.accum_grad)
        parts = np.split(entries[order], ends[:-1])
        steps = len(parts) // self.accum_grad
        turn = permute(np.arange(steps), steps, key(self.seed, "turn", number))
        return _Window(begin, number, taken, taken_after, [parts[first::steps] for first in turn])

    def _draw(
        self, weights: dict[str, float], number: int, taken: dict[str, int], rows: int
    ) -> tuple[np.ndarray, dict[str, int]]:
        """The next rows of each task's stream, and how far the streams are then.

        Systematic sampling: each task gets its weight's share of ``rows``, rounded up or down at random.
        """
        points = (np.arange(rows) + key(self.seed, "share", number) / 2**64) / rows
        counts = np.diff(
            np.searchsorted(points, np.cumsum(list(weights.values())))[:-1], prepend=0, append=rows
        )
        taken, blocks = dict(taken), []
        for task, count in zip(weights, counts.tolist(), strict=True):
            first = taken.get(task, 0)
            blocks.append(self._stream(task, np.arange(first, first + count)))
            taken[task] = first + count
        return np.concatenate(blocks), taken

    def _stream(self, task: str, places: np.ndarray) -> np.ndarray:
        """Entries at ``places`` of the endless stream of ``task``."""
        epochs, places_in = np.divmod(places, self._counts[task])
        index = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            mine = epochs == epoch
            index[mine] = permute(places_in[mine], self._counts[task], key(self.seed, task, epoch))
        entries = np.empty(len(places), ENTRY_DTYPE)
        edges = np.cumsum([len(rows) for rows in self._rows[task]])
        entries["set"] = np.searchsorted(edges, index, side="right")
        for number in np.unique(entries["set"]).tolist():
            mine = entries["set"] == number
            rows = self._rows[task][number]
            entries["row"][mine] = rows[index[mine] - (edges[number] - len(rows))]
        factors = np.array(self._speeds.get(task, [1.0]))
        entries["speed"] = factors[choose(places, len(factors), key(self.seed, "speed", task))]
        return entries


@dataclass(frozen=True)
class _Window:
    """Consecutive steps whose rows were drawn together; ``taken``: task -> rows drawn before."""

    begin: int
    number: int
    taken: dict[str, int]
    taken_after: dict[str, int]
    batches: list[list[np.ndarray]]

    @property
    def end(self) -> int:
        return self.begin + len(self.batches)
