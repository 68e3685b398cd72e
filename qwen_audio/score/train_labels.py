"""What training examples answer most often, counted as they are read: it is all that a baseline knows of them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from qwen_audio.data.prepared import PreparedSet
from qwen_audio.score.join import group_key
from qwen_audio.score.registry import CONSTANT, MAJORITY
from qwen_audio.task_spec import TaskSpec

_TARGET = "the whole answer"


class Common:
    """What is most frequent among training examples of a task in one language.

    Memory grows with the different values, not with the examples.

    Args:
        baseline: MAJORITY counts each field on its own, CONSTANT whole targets.
    """

    def __init__(self, baseline: str, spec: TaskSpec, rows: Iterable[dict] = ()):
        self.spec, self._baseline, self._segments = spec, baseline, segments_field(spec)
        self._rows = self._complete = 0
        self._counts: dict[str, Counter] = defaultdict(Counter)
        for row in rows:
            self.add(row)

    def add(self, row: dict) -> None:
        self._rows += 1
        if self._baseline == CONSTANT:
            self._counts[_TARGET][self.spec.target_text(row)] += 1
            return
        self._complete += all(name in row for name in self.spec.optional_fields)
        for name in self.spec.fields + self.spec.optional_fields:
            if name in row:
                values = [row[name]] if name != self._segments else [label for _, _, label in row[name]]
                self._counts[name].update(map(json.dumps, values))

    def label(self) -> str | None:
        """The most frequent label of segments; None where no example has one."""
        return self._most(self._segments)

    def majority(self) -> str:
        """The target made of each field's most frequent value, each field on its own.

        What a target has only for some examples is written if at least half of them have it.
        """
        spec = self.spec
        names = spec.fields + (spec.optional_fields if 2 * self._complete >= self._rows else [])
        return spec.target_text({name: self._most(name) for name in names})

    def constant(self) -> str:
        """The most frequent target."""
        return self._counts[_TARGET].most_common(1)[0][0]

    def _most(self, name: str):
        """The first seen wins a tie; None where there is none."""
        found = self._counts[name].most_common(1)
        return json.loads(found[0][0]) if found else None


class TrainLabels:
    """Common answers of training sets, by task and language, for the tasks whose baseline takes them from there."""

    def __init__(self, tasks: Mapping[str, TaskSpec]):
        self._tasks = {name: spec for name, spec in tasks.items() if spec.baseline in (MAJORITY, CONSTANT)}
        self._groups: dict[tuple, Common] = {}

    @classmethod
    def read(cls, sets: Iterable[Path], tasks: Mapping[str, TaskSpec]) -> "TrainLabels":
        """Of prepared sets. Raises: ValueError naming file and line of a row without ``utt`` or ``task``."""
        labels = cls(tasks)
        for folder in sets:
            for row in PreparedSet(folder).rows():
                labels.add(row)
        return labels

    def add(self, row: dict) -> None:
        spec = self._tasks.get(row["task"])
        if spec is not None:
            key = group_key(spec, row)
            if key not in self._groups:
                self._groups[key] = Common(spec.baseline, spec)
            self._groups[key].add(row)

    def of(self, spec: TaskSpec, row: dict) -> Common | None:
        """What is common where ``row`` belongs; None where training has nothing of it."""
        return self._groups.get(group_key(spec, row))


def segments_field(spec: TaskSpec) -> str | None:
    """The field that holds segments: their majority is one label over the whole clip."""
    return next((name for name, kind in spec.kinds.items() if kind == "segments"), None)
