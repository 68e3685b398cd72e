"""Batches for validation: every row of some sets once, in a fixed order."""

from collections.abc import Sequence

import numpy as np

from qwen_audio.data.packing import (
    ENTRY_DTYPE,
    Budget,
    FramesOf,
    check_rows,
    measure,
    pack,
)
from qwen_audio.data.token_set import TokenSet, task_list

BLOCK = 4096  # rows that are sorted by length together


class ValidPlan:
    """Every row of some sets once, in a fixed order, in batches of the training budget.

    Args: as BatchPlan. Raises: ValueError for a row above the budget (named).
    """

    def __init__(self, sets: Sequence[TokenSet], batch_conf: dict, frames_of: FramesOf, accum_grad: int = 1):
        self.sets, self.tasks, self.frames_of = list(sets), task_list(sets), frames_of
        budget = Budget.from_config(batch_conf, accum_grad)
        check_rows(self.sets, self.tasks, budget, frames_of, {})
        self._batches = []
        for number, data in enumerate(self.sets):
            for begin in range(0, len(data), BLOCK):
                entries = np.zeros(min(BLOCK, len(data) - begin), ENTRY_DTYPE)
                entries["set"], entries["speed"] = number, 1.0
                entries["row"] = np.arange(begin, begin + len(entries))
                sizes = measure(self.sets, entries, frames_of)
                order = np.argsort(-sizes.positions, kind="stable")
                ends = pack(sizes[order], budget)
                self._batches += np.split(entries[order], ends[:-1])

    def __len__(self) -> int:
        return len(self._batches)

    def batch(self, number: int) -> list[np.ndarray]:
        """One part: (rows,) ENTRY_DTYPE, longest first."""
        return [self._batches[number]]
