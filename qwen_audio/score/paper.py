"""The paper's tables of results, as recipes/paper.yaml has them, and the rows of results.json beside them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from qwen_audio.checkout import RECIPES, need
from qwen_audio.score.registry import METRICS

PAPER = RECIPES / "paper.yaml"
NOT_PRINTED, ABSENT, CLOSED, UNDEFINED = "–", "absent", "closed data", "undefined"


@dataclass(frozen=True)
class Column:
    """One column of a dataset, and which row of results.json has our score for it.

    Attributes:
        shown: the paper's name of the metric.
        set: None where the paper's data are closed.
        protocol: None is the metric's first one.
        percent: the paper prints per cent where our score is a fraction.
    """

    dataset: str
    split: str
    task: str
    shown: str
    set: str | None
    metric: str
    protocol: str | None = None
    percent: bool = False

    def is_of(self, row: dict) -> bool:
        """Whether ``row`` of results.json is this column's."""
        found = row["task"], row["set"], row["metric"], row["protocol"]
        return found == (self.task, self.set, self.metric, self._protocol)

    def value(self, row: dict | None) -> float | None:
        """Our score in the paper's unit; None where there is none."""
        score = row and row["score"]
        return score * 100 if self.percent and score is not None else score

    @property
    def rule(self) -> str:
        """``wer (qwen_audio)``: our name of the metric, and the protocol it follows."""
        return f"{self.metric} ({self._protocol})"

    @property
    def _protocol(self) -> str:
        return self.protocol or METRICS[self.metric].protocols[0]

    @property
    def measure(self) -> str:
        """``WER %``: the metric and its unit, in the paper's words."""
        return f"{self.shown} %" if self.percent else self.shown

    @property
    def title(self) -> str:
        """``WER % ↓``: and which way is better."""
        return f"{self.measure} {'↓' if METRICS[self.metric].best == 'low' else '↑'}"


@dataclass(frozen=True)
class Block:
    """A dataset in one table: of each model a figure per column, as printed; None where there is none.

    The last model is the paper's own, which has all figures; the others it is compared with.
    """

    columns: tuple[Column, ...]
    figures: dict[str, list[str | None]]

    @property
    def own(self) -> list[str]:
        return list(self.figures.values())[-1]

    @property
    def others(self) -> dict[str, list[str | None]]:
        return dict(list(self.figures.items())[:-1])

    def cell(self, number: int, row: dict | None) -> str:
        """Our score in column ``number`` as the paper would print it, with what it must not be read without.

        Args:
            row: of a System; None where there is none.
        """
        column = self.columns[number]
        if row is None:
            return ABSENT if column.set else CLOSED
        origins = [origin for origin in row["label_origin"].split("+") if origin != "real"]
        marks = [f"{' and '.join(origins)} labels"] if origins else []
        marks += [f"{row['missing']} not decoded"] if row["missing"] else []
        marks += row["left_out"]
        places = len(self.own[number].partition(".")[2])
        value = column.value(row)
        text = UNDEFINED if value is None else f"{value:.{places}f}"
        return f"{text} ({', '.join(marks)})" if marks else text


def load_paper(path: Path = PAPER) -> dict[str, list[Block]]:
    """The tables by number: ``"3"``, and of the training without and with SRWT ``"4"`` and ``"5"``.

    Raises:
        ValueError: if there is no such file; naming file, table, dataset and key of what does not fit.
    """
    content = yaml.safe_load(need(path).read_text(encoding="utf-8"))
    columns = {name: _columns(path, name, entry) for name, entry in content["datasets"].items()}
    tables: dict[str, list[Block]] = {}
    for table, blocks in content["tables"].items():
        for name, figures in blocks.items():
            where = f"{path}: table {table}: {name}"
            if name not in columns:
                raise ValueError(f"{where}: no such dataset; known: {', '.join(columns)}")
            _check(where, figures, len(columns[name]))
            tables.setdefault(table, []).append(Block(columns[name], figures))
    return tables


def own_figures(task: str, path: Path = PAPER) -> dict[str, str]:
    """What the paper reports of its own model in ``task``: ``{"LibriSpeech test-clean WER %": "2.0", ...}``.

    A column that several tables have is told as the first of them prints it.
    """
    found: dict[str, str] = {}
    for block in (block for blocks in load_paper(path).values() for block in blocks):
        for column, figure in zip(block.columns, block.own, strict=True):
            if column.task == task:
                found.setdefault(f"{column.dataset} {column.split} {column.measure}", figure)
    return found


def _check(where: str, figures: dict[str, list], count: int) -> None:
    for model, row in figures.items():
        if len(row) != count:
            raise ValueError(
                f"{where}: {model} has {len(row)} figures for {count} columns; write null for none"
            )
        for figure in row:
            if not isinstance(figure, str | None):
                raise ValueError(f"{where}: {model} has {figure!r}; put it in quotes, to keep its digits")
    if None in row:
        raise ValueError(f"{where}: {model} is last, the paper's own model, and lacks a figure")


def _columns(path: Path, dataset: str, entry: dict) -> tuple[Column, ...]:
    common = {key: value for key, value in entry.items() if key != "columns"}
    try:
        return tuple(Column(dataset=dataset, **common | own) for own in entry["columns"])
    except TypeError as error:
        known = ", ".join(Column.__annotations__)
        raise ValueError(f"{path}: dataset {dataset}: {error}; known: {known}") from None
