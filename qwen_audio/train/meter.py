"""Sums of the statistics of many steps, kept on the device and fetched in one transfer."""

from collections import Counter

import torch
from torch import Tensor

from qwen_audio.train.ranks import Ranks

TASK_KEYS = ("task_loss_sum", "task_tokens")


class Meter:
    """Means of loss and statistics, each over what it counts, and sums per task, over steps and ranks.

    Args:
        tasks: the run's task list, the order of ``stats["task_loss_sum"]`` and ``stats["task_tokens"]``.
    """

    def __init__(self, tasks: list[str], ranks: Ranks):
        self.tasks, self.ranks = tasks, ranks
        self.reset()

    def reset(self) -> None:
        self._keys: dict[str, int] = {}  # name -> how many numbers it has
        self._sums = self._waiting = torch.zeros(0, device=self.ranks.device)
        self._host: Counter[str] = Counter()

    def count(self, **amounts: float) -> None:
        """Add numbers the host knows: rows, audio seconds."""
        self._host.update(amounts)

    def add(self, loss: Tensor, stats: dict[str, Tensor], weight: Tensor) -> None:
        """One micro-batch: ``loss`` and ``stats`` of one number are means over ``weight`` tokens.

        A statistic of two numbers is a sum and how many things it is over, such as nats and units of a transcript.
        """
        values = {"loss": loss * weight, "weight": weight}
        for name, value in stats.items():
            if value is not None and name not in values:  # an absent branch of the model reports None
                if name in TASK_KEYS:
                    values[name] = value
                else:
                    pair = value if value.numel() == 2 else (value * weight, weight)
                    values[name], values[f"{name}/weight"] = pair
        for name, value in values.items():
            if name not in self._keys:
                self._keys[name] = value.numel()
                empty = self._sums.new_zeros(value.numel())
                self._sums, self._waiting = torch.cat([self._sums, empty]), torch.cat([self._waiting, empty])
        flat = [
            values[name].detach().float().reshape(-1) if name in values else self._sums.new_zeros(size)
            for name, size in self._keys.items()
        ]
        self._waiting = self._waiting + torch.cat(flat)

    def commit(self, bad: Tensor | None = None) -> None:
        """End of a step: keep its micro-batches, unless ``bad`` (0-dim, 1.0) says it was called off."""
        if bad is not None:
            self._waiting = torch.where(bad > 0, 0.0, self._waiting)
        self._sums = self._sums + self._waiting
        self._waiting = torch.zeros_like(self._sums)

    def fetch(self) -> dict:
        """Over all ranks since ``reset``: ``loss``, ``task_loss``, ``task_tokens``, ``stats``, ``host``."""
        numbers, mine, at = self._sums.tolist(), {}, 0
        for name, size in self._keys.items():
            mine[name] = numbers[at : at + size]
            at += size
        sums: dict[str, list[float]] = {}
        host: Counter[str] = Counter()
        for theirs, their_host in self.ranks.gather((mine, dict(self._host))):
            host.update(their_host)
            for name, values in theirs.items():
                known = sums.setdefault(name, [0.0] * len(values))
                sums[name] = [a + b for a, b in zip(known, values, strict=True)]
        return {**_means(sums, self.tasks), "host": dict(host)}


def _means(sums: dict[str, list[float]], tasks: list[str]) -> dict:
    def mean(name: str, weight: str) -> float | None:
        total = sums.get(weight, [0.0])[0]
        return sums[name][0] / total if total else None

    tokens = dict(zip(tasks, sums.get("task_tokens", []), strict=False))
    losses = dict(zip(tasks, sums.get("task_loss_sum", []), strict=False))
    names = [name for name in sums if f"{name}/weight" in sums]
    return {
        "loss": mean("loss", "weight"),
        "task_loss": {task: losses[task] / count for task, count in tokens.items() if count},
        "task_tokens": {task: int(count) for task, count in tokens.items() if count},
        "stats": {name: mean(name, f"{name}/weight") for name in names},
    }
