"""Loss curves of a run from its train_log.jsonl: one small panel per task, per loss term, and one for all."""

import math
from pathlib import Path

from qwen_audio.train.log import read_log

# blue and vermilion of Okabe and Ito, told apart by every kind of colour vision
TRAIN, VALID = "#0072B2", "#D55E00"
COLUMNS = (4, 3)  # panels side by side, whichever leaves fewer gaps
TERM = "loss_"  # statistics named so are terms of the loss
SMOOTHED = 100  # log points above this number are drawn faint, under their running mean
ALL = "whole loss"
WINDOW = 0.03  # of the run, in that running mean


def plot_log(log_path: str | Path, png_path: str | Path) -> None:
    """Draw the training and validation loss per task, in nats per target token, over the steps.

    Raises:
        ValueError: if the log has no rows.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_log(log_path)
    if not rows:
        raise ValueError(f"{log_path} has no rows; train first (stage 4)")
    tasks = sorted({task for row in rows for task in row["task_loss"]})
    terms = sorted({name for row in rows for name in row.get("stats", {}) if name.startswith(TERM)})
    panels = [ALL, *tasks, *(terms if len(terms) > 1 else ())]
    columns = min(len(panels), min(COLUMNS, key=lambda count: -len(panels) % count))
    lines = math.ceil(len(panels) / columns)
    figure, axes = pyplot.subplots(
        lines,
        columns,
        figsize=(3.2 * columns + 0.4, 2.4 * lines + 0.7),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    for axis, name in zip(axes.flat, panels, strict=False):
        for valid in (False, True):
            steps, losses = _curve(rows, name, valid)
            _draw(axis, steps, losses, valid)
        axis.set_title(name, loc="left", fontsize=10, fontweight="bold" if name == ALL else "normal")
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.margins(x=0.02)
    for number, axis in enumerate(axes.flat):
        if number >= len(panels):
            axis.set_visible(False)
        elif number + columns >= len(panels):  # lowest of its column
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("step", fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("loss (nats per token)", fontsize=9)
    keys, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(keys, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    partial = Path(png_path).with_suffix(".partial.png")
    figure.savefig(partial, dpi=150)
    pyplot.close(figure)
    partial.replace(png_path)


def _curve(rows: list[dict], name: str, valid: bool) -> tuple[list[int], list[float]]:
    steps, losses = [], []
    for row in rows:
        loss = row["loss"] if name == ALL else {**row.get("stats", {}), **row["task_loss"]}.get(name)
        if bool(row.get("valid")) == valid and loss is not None:
            steps.append(row["step"])
            losses.append(loss)
    return steps, losses


def _draw(axis, steps: list[int], losses: list[float], valid: bool) -> None:
    if valid:
        axis.plot(steps, losses, color=VALID, linewidth=1.6, marker="o", markersize=3, label="valid")
        return
    if len(steps) <= SMOOTHED:
        axis.plot(steps, losses, color=TRAIN, linewidth=1.4, label="train")
        return
    axis.plot(steps, losses, color=TRAIN, linewidth=0.6, alpha=0.3)
    reach = max(1, int(len(steps) * WINDOW / 2))
    means = []
    for place in range(len(losses)):
        around = losses[max(0, place - reach) : place + reach + 1]
        means.append(sum(around) / len(around))
    axis.plot(steps, means, color=TRAIN, linewidth=1.4, label="train (running mean)")
