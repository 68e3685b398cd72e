"""report.png: a line for each score of table 3, its figures, and a strip that shows how they lie."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from qwen_audio.score.paper import Block
from qwen_audio.score.systems import System

TITLE = "Table 3 of the Qwen-Audio paper (arXiv:2311.07919), and ours"
COMPARED, PAPER, OURS, SCALE = "others in the paper", "Qwen-Audio", "ours", "0 to the largest"
HEAD = ("task", "dataset", "split", "metric", SCALE, OURS, "model", PAPER, COMPARED)
STRIP = HEAD.index(SCALE)
MARKS = {  # marker, size, colour; later ones are drawn over earlier ones
    COMPARED: ("|", 60, "#707070"),
    PAPER: ("D", 26, "#0072B2"),  # blue and vermilion of Okabe and Ito: told apart by all colour vision
    OURS: ("o", 34, "#D55E00"),
}
FONT, LINE, GAP, MARGIN, WIDTH = 9, 18, 16, 20, 200  # points; WIDTH of the strip
DPI = 150


def draw_report(path: Path, blocks: list[Block], systems: list[System]) -> None:
    """Draw ``blocks`` of table 3 with the scores of ``systems`` as a picture."""
    picture(blocks, systems).savefig(path, dpi=DPI)


def picture(blocks: list[Block], systems: list[System]) -> Figure:
    """The same, not yet written. Columns are as wide as their longest text, so that none lies on another."""
    lines = [(block, *line) for block in blocks for line in _lines(block, systems)]
    figure = Figure(dpi=72)  # one pixel is one point
    renderer = FigureCanvasAgg(figure).get_renderer()
    bold = FontProperties(size=FONT, weight="bold")
    rows = [HEAD, *(cells for _, cells, _ in lines)]
    widths = []
    for column in zip(*rows, strict=True):
        widths.append(max(renderer.get_text_width_height_descent(text, bold, False)[0] for text in column))
    widths[STRIP] = WIDTH
    lefts = [MARGIN + sum(widths[:i]) + GAP * i for i in range(len(HEAD))]
    width, height = lefts[-1] + widths[-1] + MARGIN, 2 * MARGIN + LINE * (len(rows) + 2)
    figure.set_size_inches(width / 72, height / 72)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(MARGIN, MARGIN + LINE / 2, TITLE, size=FONT + 2, weight="bold", va="center")
    places: dict[str, list[tuple[float, float]]] = {kind: [] for kind in MARKS}
    for number, row in enumerate(rows):
        middle = MARGIN + LINE * (number + 2.5)
        for left, cell in zip(lefts, row, strict=True):
            axes.text(left, middle, cell, size=FONT, va="center", weight="normal" if number else "bold")
    for number, (block, _, marks) in enumerate(lines):
        middle = MARGIN + LINE * (number + 3.5)
        if blocks.index(block) % 2 == 0:
            axes.axhspan(middle - LINE / 2, middle + LINE / 2, color="#f2f2f2", linewidth=0, zorder=0)
        axes.hlines(middle, lefts[STRIP], lefts[STRIP] + WIDTH, color="#c0c0c0", linewidth=0.6, zorder=1)
        for kind, found in marks.items():
            places[kind] += [(lefts[STRIP] + WIDTH * value, middle) for value in found]
    for zorder, (kind, (marker, size, colour)) in enumerate(MARKS.items(), 2):
        edge = {} if marker == "|" else {"edgecolors": "white", "linewidths": 0.6}
        x, y = zip(*places[kind], strict=True) if places[kind] else ((), ())
        axes.scatter(x, y, size, colour, marker=marker, label=kind, zorder=zorder, **edge)
    legend = {"loc": "center right", "bbox_to_anchor": (width - MARGIN, MARGIN + LINE / 2)}
    axes.legend(**legend, bbox_transform=axes.transData, ncols=len(MARKS), frameon=False, fontsize=FONT)
    return figure


def _lines(block: Block, systems: list[System]) -> list[tuple[list[str], dict[str, list[float]]]]:
    """For each column a line of each model of ours with a score there, or one that says that there is none.

    Returns:
        its cells, and where on the strip each kind of mark lies: 0 at its left end, 1 at its right one.
    """
    lines = []
    for number, column in enumerate(block.columns):
        compared = {model: figures[number] for model, figures in block.others.items() if figures[number]}
        rows = {system.name: row for system in systems if (row := system.row(column))} or {"": None}
        ours = {name: column.value(row) for name, row in rows.items()}
        paper = {COMPARED: list(map(float, compared.values())), PAPER: [float(block.own[number])]}
        largest = max(
            [*paper[COMPARED], *paper[PAPER], *(value for value in ours.values() if value is not None)]
        )
        for place, (name, row) in enumerate(rows.items()):  # what the line above says is not said again
            head = ["", ""] if lines else [column.task, column.dataset]
            about = ["", ""] if place else [column.split, column.title]
            figures = ["", ""] if place else [block.own[number], ", ".join(map(" ".join, compared.items()))]
            values = paper | {OURS: [] if ours[name] is None else [ours[name]]}
            marks = {kind: [value / largest for value in found] for kind, found in values.items()}
            lines.append(([*head, *about, "", block.cell(number, row), name, *figures], marks))
    return lines
