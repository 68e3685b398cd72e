"""Rows of like length into batches under a budget of decoder positions, audio seconds and examples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.token_set import BLOCK, TokenSet

ENTRY_DTYPE = np.dtype([("set", "<i4"), ("row", "<i8"), ("speed", "<f8")])  # one row of one of the sets
BUDGET_KEYS = ("max_positions", "max_seconds", "max_examples")
UNLIMITED = 1 << 60

FramesOf = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Budget:
    """What a batch may hold, padding included: rows x longest row.

    Attributes:
        positions: decoder positions, audio frames and text tokens.
        samples: audio samples at 16 kHz, clips x longest clip: a row may have several clips, or none.
        examples: rows.
    """

    positions: int = UNLIMITED
    samples: int = UNLIMITED
    examples: int = UNLIMITED

    @classmethod
    def from_config(cls, batch_conf: dict, parts: int = 1) -> "Budget":
        """The budget of one of ``parts`` equal parts of a batch. Raises: ValueError if there is none."""
        given = {name: batch_conf[name] for name in BUDGET_KEYS if batch_conf.get(name) is not None}
        if not given:
            raise ValueError(f"batch_conf limits nothing; give at least one of {', '.join(BUDGET_KEYS)}")
        limits = {}
        for name, value in given.items():
            limits[name] = int(value * (SAMPLE_RATE if name == "max_seconds" else 1)) // parts
            if limits[name] < 1:
                raise ValueError(f"batch_conf.{name} is {value} for {parts} part(s) (accum_grad); raise it")
        return cls(*(limits.get(name, UNLIMITED) for name in BUDGET_KEYS))

    def scaled(self, share: float) -> "Budget":
        return Budget(
            *(max(1, -int(-limit * share // 1)) for limit in (self.positions, self.samples, self.examples))
        )


def perturbed_samples(samples: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Length of a clip of ``samples`` played at ``speed`` times its speed."""
    return np.rint(samples / speed).astype(np.int64)


@dataclass(frozen=True)
class Sizes:
    """What N rows take, (N,) int64 each.

    Attributes:
        positions: decoder positions, frames and text tokens.
        samples: of all clips of a row together.
        clips: how many a row has.
        longest: samples of its longest clip.
    """

    positions: np.ndarray
    samples: np.ndarray
    clips: np.ndarray
    longest: np.ndarray

    def __getitem__(self, rows) -> "Sizes":
        return Sizes(self.positions[rows], self.samples[rows], self.clips[rows], self.longest[rows])

    @property
    def padded(self) -> np.ndarray:
        """Samples of the first rows together, of one, of two ..., when every clip is padded to the longest."""
        return np.cumsum(self.clips) * np.maximum.accumulate(self.longest)


def measure(sets: Sequence[TokenSet], entries: np.ndarray, frames_of: FramesOf) -> Sizes:
    """Sizes of the entries, at their speed."""
    positions, samples, clips, longest = np.zeros((4, len(entries)), np.int64)
    for number in np.unique(entries["set"]):
        mine = np.flatnonzero(entries["set"] == number)
        rows = sets[number].rows[entries["row"][mine]]
        owner, lengths = _clip_lengths(sets[number], entries[mine])
        samples[mine] = np.bincount(owner, lengths, len(mine))
        clips[mine] = np.bincount(owner, minlength=len(mine))
        np.maximum.at(longest, mine[owner], lengths)
        positions[mine] = np.bincount(owner, frames_of(lengths), len(mine)) + rows["prompt"] + rows["target"]
    return Sizes(positions, samples, clips, longest)


def _clip_lengths(data: TokenSet, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each audio of some entries of one set: which entry it belongs to, and its length in samples."""
    owner, _, samples = data.clips(entries["row"])
    return owner, perturbed_samples(samples, entries["speed"][owner])


def pack(sizes: Sizes, budget: Budget) -> list[int]:
    """Cut rows, sorted by falling positions, into the fewest neighbouring groups within ``budget``.

    Returns: the end of each group. A row that is above the budget by itself stands alone.
    """
    ends, begin, total = [], 0, len(sizes.positions)
    while begin < total:
        most = min(total - begin, budget.examples, budget.positions // max(1, int(sizes.positions[begin])))
        padded = sizes[begin : begin + max(1, most)].padded  # never falls, so what fits is a prefix
        begin += max(1, int((padded <= budget.samples).sum()))
        ends.append(begin)
    return ends


def pack_evenly(sizes: Sizes, budget: Budget, multiple: int = 1) -> list[int]:
    """As pack, but into a number of groups that ``multiple`` divides, and all about equally full.

    Without it the last group would hold a few left-over rows, whose gradient counts as much as a full one's.
    Groups are empty only where there are fewer rows than ``multiple``.
    """
    groups = -(-len(pack(sizes, budget)) // multiple) * multiple
    low, high = 0.0, 1.0
    for _ in range(8):
        middle = (low + high) / 2
        if len(pack(sizes, budget.scaled(middle))) <= groups:
            high = middle
        else:
            low = middle
    ends = pack(sizes, budget.scaled(high))
    while len(ends) < groups:  # equal lengths may leave no scale with just this number
        sizes = np.diff([0, *ends])
        largest = int(sizes.argmax())
        ends.insert(largest, ends[largest] - int(sizes[largest]) // 2)
    return ends


def padded_batches[Item](
    items: Iterable[Item],
    samples: Callable[[Item], int],
    most_samples: float,
    most_items: int = UNLIMITED,
) -> Iterator[list[Item]]:
    """Items in their order, as many together as ``most_samples`` allows, padding included: items x longest.

    One that is above it by itself stands alone.

    Args:
        samples: length of an item.
    """
    batch, longest = [], 0
    for item in items:
        longest = max(longest, samples(item))
        if batch and (len(batch) == most_items or (len(batch) + 1) * longest > most_samples):
            yield batch
            batch, longest = [], samples(item)
        batch.append(item)
    if batch:
        yield batch


def check_rows(
    sets: Sequence[TokenSet], tasks: list[str], budget: Budget, frames_of: FramesOf, slowest: dict
) -> None:
    """Look at every row once, in blocks.

    Args:
        slowest: task -> smallest speed its clips are played at, where it is not 1.

    Raises:
        ValueError: naming the utterance that is above the budget by itself, or too short for one frame.
    """
    for number, data in enumerate(sets):
        for task in tasks:
            rows = data.rows_of(task)
            for begin in range(0, len(rows), BLOCK):
                entries = np.zeros(len(rows[begin : begin + BLOCK]), ENTRY_DTYPE)
                entries["set"], entries["row"] = number, rows[begin : begin + BLOCK]
                entries["speed"] = slowest.get(task, 1.0)
                sizes = measure(sets, entries, frames_of)
                for name, value, limit in (
                    ("max_positions", sizes.positions, budget.positions),
                    ("max_seconds", sizes.clips * sizes.longest, budget.samples),
                ):
                    if value.max() > limit:
                        _refuse(data, entries[int(value.argmax())], name, int(value.max()), limit, task)
                owner, lengths = _clip_lengths(data, entries)
                if len(lengths) and frames_of(lengths.min(keepdims=True))[0] < 1:  # no longer clip has fewer
                    worst = int(lengths.argmin())
                    raise ValueError(
                        f"{data.folder}: utterance {data.utt_id(entries['row'][owner[worst]])}"
                        f" ({lengths[worst]} samples) is too short for one decoder frame;"
                        " raise the shortest length of stage 1"
                    )


def _refuse(data: TokenSet, entry: np.void, name: str, value: int, limit: int, task: str) -> None:
    unit = SAMPLE_RATE if name == "max_seconds" else 1
    speed = f" at speed {entry['speed']}" if entry["speed"] != 1 else ""
    raise ValueError(
        f"{data.folder}: utterance {data.utt_id(entry['row'])} (task {task}{speed}) takes {value / unit:g},"
        f" above batch_conf.{name} of {limit / unit:g} for one part of a batch, padding included;"
        f" raise batch_conf.{name}, lower accum_grad, or drop such clips in stage 1"
    )
