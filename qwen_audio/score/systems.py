"""The models of results.json files, gathered from any number of recipes."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qwen_audio.score.paper import Block, Column

_NEEDED = (
    "model", "stage", "task", "set", "lang", "metric", "protocol", "score", "unit", "count", "label_origin",
    "missing", "baseline", "baseline_name",
)  # fmt: skip


@dataclass(frozen=True)
class System:
    """One model of one results.json; ``name`` tells it from the others of a report.

    ``left_out`` of each row: what of its set the score does not count, ``["14 not scored", "3 cut to 30 s"]``.
    """

    name: str
    file: Path
    rows: list[dict]

    def row(self, column: Column) -> dict | None:
        """Its row of results.json for a column of the paper."""
        return next((row for row in self.rows if column.is_of(row)), None)

    def rows_of(self, block: Block) -> list[dict | None]:
        """One for each column."""
        return [self.row(column) for column in block.columns]


def gather(*groups: Iterable[Path]) -> list[list[System]]:
    """The models of every results.json given, or below the folders given, of each group.

    A model is its name and its results.json: recipes call their models alike, so where a name stands in
    several, the folder of the file is written behind it.

    Raises:
        ValueError: naming the folder that has no results.json, the file that is none of score's, or the one
            that stands in two groups.
    """
    files: list[dict[Path, Path]] = []
    for folders in groups:
        found = {file.resolve(): file for folder in folders for file in _files(folder)}
        for file in [file for other in files for file in other if file in found]:
            raise ValueError(f"{found[file]} is given on both sides; name folders that do not share it")
        files.append(found)
    models = [[(file, *model) for file in found.values() for model in _read(file).items()] for found in files]
    names = [name for group in models for _, name, _ in group]
    return [
        [
            System(name if names.count(name) == 1 else f"{name} ({file.parent})", file, rows)
            for file, name, rows in group
        ]
        for group in models
    ]


def _files(folder: Path) -> list[Path]:
    found = [folder] if folder.is_file() else sorted(folder.rglob("results.json"))
    if not found:
        raise ValueError(f"{folder}: no results.json in it or below; stage 8 of a recipe writes one")
    return found


def _read(file: Path) -> dict[str, list[dict]]:
    """Rows of a results.json by model."""
    models: dict[str, list[dict]] = {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = content["rows"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: no results ({error!r}); write it anew with stage 8 of the recipe"
        ) from None
    left_out = _left_out(content)
    for number, row in enumerate(rows):
        lacking = [key for key in _NEEDED if key not in row]
        if lacking:
            raise ValueError(f"{file}: rows[{number}] lacks {', '.join(lacking)}; write it anew with stage 8")
        models.setdefault(row["model"], []).append(row | {"left_out": left_out.get(row["set"], [])})
    return models


def _left_out(content: dict) -> dict[str, list[str]]:
    """By set, of what stands in a results.json as rejected and as cut."""
    counts: Counter[tuple[str, str]] = Counter()
    for key in ("rejected", "cut"):
        for entry in content.get(key, ()):
            counts[entry["set"], "not scored" if key == "rejected" else entry["reason"]] += entry["count"]
    marks: dict[str, list[str]] = {}
    for (name, what), count in counts.items():
        marks.setdefault(name, []).append(f"{count} {what}")
    return marks
