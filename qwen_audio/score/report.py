"""report.md: our results in the paper's tables.

Table 3 sets each model beside the paper's; tables 4 and 5 set trainings without and with the task srwt beside
the paper's two. A row of results.json that the paper has no column for stands in a table of its own.
"""

from collections.abc import Iterable
from pathlib import Path

from qwen_audio.score.paper import ABSENT, CLOSED, NOT_PRINTED, UNDEFINED, Block, load_paper
from qwen_audio.score.report_picture import draw_report
from qwen_audio.score.results import markdown_table, matched_share, shown_interval, shown_score
from qwen_audio.score.systems import System

_TABLE = ("task", "dataset", "metric", "model", "score", "requests")
_OTHER = (
    "task", "set", "lang", "metric", "protocol", "model", "score", "requests", "not decoded",
    "baseline", "labels",
)  # fmt: skip
_WITHOUT, _WITH = "without SRWT", "with SRWT"


def write_report(folder: Path, systems: list[System], without: list[System], command: str) -> None:
    """Write report.md and report.png into ``folder``; arguments as of :func:`render_report`."""
    folder.mkdir(parents=True, exist_ok=True)
    paper = load_paper()
    text = render_report(paper, systems, without, command)
    (folder / "report.md").write_text(text, encoding="utf-8")
    draw_report(folder / "report.png", paper["3"], systems)


def render_report(
    paper: dict[str, list[Block]], systems: list[System], without: list[System], command: str
) -> str:
    """The text of report.md.

    Args:
        paper: its tables, see load_paper.
        systems: what is reported.
        without: trained without the task srwt, all else equal to ``systems``; empty: no tables 4 and 5.
        command: what the report names as its origin.
    """
    files = dict.fromkeys(str(system.file) for system in [*systems, *without])
    lines = [
        "# Report",
        "",
        f"Made by `{command}` from {', '.join(files)}.",
        "",
        "Bold: scores of those files, by the metric (protocol) named there, in the paper's unit and places.",
        "The others are the figures of the Qwen-Audio paper (arXiv:2311.07919) as printed. ↓: lower is",
        f"better, ↑: higher. {NOT_PRINTED}: the paper has no figure. {ABSENT}: no results.json given has",
        f"a score. {UNDEFINED}: scored, but there is no value. {CLOSED}: only the paper's authors have them.",
        "Not scored: clips or examples rejected before decoding. Cut: clips of which the first seconds alone were",
        "decoded, as the released evaluation does. Requests: the clips, or the questions about them where a task asks.",
        "",
        "## Table 3: beside the paper",
        "",
        *markdown_table(_TABLE, [line for block in paper["3"] for line in _beside(block, systems)]),
        "",
    ]
    pairs = [block for number in ("4", "5") for block in paper[number]] if without else []
    for number in ("4", "5") if without else ():
        rows = [line for block in paper[number] for line in _ablation(block, without, systems)]
        lines += [f"## Table {number}: trained {_WITHOUT} and {_WITH}", "", *markdown_table(_TABLE, rows), ""]
    shared = _in_both(systems, without, pairs)
    if shared:
        lines += [
            f"## Own sets: trained {_WITHOUT} and {_WITH}",
            "",
            "In brackets the 95 % interval over the clips; it says nothing of what another seed would give.",
            "",
            *_own(shared, systems, without),
            "",
        ]
    rest = []
    for system in [*systems, *without]:
        beside = paper["3"] if system in systems else []
        for row in system.rows:
            if not _has(beside, row) and not (row["stage"] and (_has(pairs, row) or _key(row) in shared)):
                rest.append(_other(system, row))
    if rest:
        lines += [
            "## Other sets",
            "",
            "Sets, metrics and protocols that the tables above do not have: they stand beside nothing of the",
            "paper. Rates are fractions of 1, BLEU and CIDEr as their libraries print them, AAS in",
            "milliseconds over the words that match. Baseline: what is reached without listening.",
            "",
            *markdown_table(_OTHER, sorted(rest)),
            "",
        ]
    return "\n".join(lines)


def _has(blocks: list[Block], row: dict) -> bool:
    return any(column.is_of(row) for block in blocks for column in block.columns)


def _key(row: dict) -> tuple[str, ...]:
    return tuple(row[key] for key in ("task", "set", "lang", "metric", "protocol"))


def _in_both(systems: list[System], without: list[System], pairs: list[Block]) -> list[tuple[str, ...]]:
    """What is scored of trained models on both sides and stands in no table of the paper."""
    groups = (
        {_key(row) for system in group for row in system.rows if row["stage"] and not _has(pairs, row)}
        for group in (systems, without)
    )
    return sorted(set.intersection(*groups))


def _own(keys: list[tuple[str, ...]], systems: list[System], without: list[System]) -> list[str]:
    """The table of scores on sets that the paper does not have; of each model its score."""
    trained = [
        (f"{kind}: {system.name}", {_key(row): row for row in system.rows})
        for kind, group in ((_WITHOUT, without), (_WITH, systems))
        for system in group
        if any(row["stage"] for row in system.rows)
    ]
    rows = []
    for key in keys:
        found = [scores.get(key) for _, scores in trained]
        shown = [_with_interval(row) if row else ABSENT for row in found]
        requests = dict.fromkeys(str(row["count"]) for row in found if row)
        rows.append([*key, *shown, _joined(requests)])
    head = ["task", "set", "lang", "metric", "protocol", *(name for name, _ in trained), "requests"]
    return markdown_table(head, rows)


def _with_interval(row: dict) -> str:
    return (
        shown_score(row, row["score"])
        + matched_share(row)
        + (f" ({shown_interval(row)})" if row["ci95"] else "")
        + _left_out(row)
    )


def _left_out(row: dict) -> str:
    return f" ({', '.join(row['left_out'])})" if row["left_out"] else ""


def _beside(block: Block, systems: list[System]) -> list[list[str]]:
    """Lines of a dataset in table 3: the paper's models, then those of ours that have a score on it."""
    ours = [(system.name, system.rows_of(block)) for system in systems if any(system.rows_of(block))]
    return _lines(block, ours or [_nobody(block)])


def _ablation(block: Block, without: list[System], systems: list[System]) -> list[list[str]]:
    """The same in table 4 or 5; a model that no recipe trained (stage None) is neither with nor without."""
    ours = []
    for kind, group in ((_WITHOUT, without), (_WITH, systems)):
        found = [(system.name, system.rows_of(block)) for system in group]
        found = [(name, rows) for name, rows in found if any(row and row["stage"] for row in rows)]
        ours += [(f"{kind}: {name}", rows) for name, rows in found or [_nobody(block)]]
    return _lines(block, ours)


def _nobody(block: Block) -> tuple[str, list[None]]:
    """Stands where no model of ours has a score."""
    return "ours", [None] * len(block.columns)


def _lines(block: Block, ours: list[tuple[str, list[dict | None]]]) -> list[list[str]]:
    first, columns = block.columns[0], block.columns
    dataset = f"{first.dataset} {_joined(dict.fromkeys(column.split for column in columns))}"
    metric = _joined(dict.fromkeys(column.title for column in columns))
    rule = _joined(dict.fromkeys(column.rule for column in columns))
    lines = [
        ["", "", "", model, _joined(figure or NOT_PRINTED for figure in row), ""]
        for model, row in block.figures.items()
    ]
    lines[0][:3] = [first.task, dataset, metric]
    for name, rows in ours:
        scores = [block.cell(number, row) for number, row in enumerate(rows)]
        requests = _joined(str(row["count"]) if row else NOT_PRINTED for row in rows)
        lines.append(
            ["", "", rule, f"**{name}**", *([_joined(scores), requests] if any(rows) else [scores[0], ""])]
        )
    return lines


def _other(system: System, row: dict) -> list[str]:
    baseline = f"{shown_score(row, row['baseline'])} {row['baseline_name']}"
    about = [str(row[key]) for key in ("task", "set", "lang", "metric", "protocol")]
    score = shown_score(row, row["score"]) + matched_share(row) + _left_out(row)
    counts = [str(row["count"]), str(row["missing"])]
    return [*about, system.name, score, *counts, baseline, row["label_origin"]]


def _joined(parts: Iterable[str]) -> str:
    return " / ".join(parts)
