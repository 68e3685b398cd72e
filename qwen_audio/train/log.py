"""What a run tells: train_log.jsonl, TensorBoard, and a bar on a terminal or plain lines in a log."""

import json
import sys
from pathlib import Path

from qwen_audio.data.json_rows import write_rows

LOG = "train_log.jsonl"
PACE = 0.2  # weight of the newest interval in the estimate of the time left


class TrainLog:
    """The voice of rank 0; the other ranks' is silent.

    Rows of ``train_log.jsonl``: {"step", "lr", "loss", "task_loss", "task_tokens", "stats", "grad_norm",
    "skipped_steps", "seconds", "steps_per_second", "tokens_per_second", "audio_seconds_per_second"} at a log
    point, {"step", "valid": true, "phase", "loss", "task_loss", ...} after a validation.

    Args:
        step: steps done before; rows behind it, which a killed run left, are dropped.
        total: steps of the whole run.
        tensorboard: write TensorBoard files too.
    """

    def __init__(
        self, run_dir: str | Path, step: int, total: int, silent: bool = False, tensorboard: bool = True
    ):
        self.path, self.total, self.silent = Path(run_dir) / LOG, total, silent
        self._writer = self._bar = self._pace = None
        if silent:
            return
        rows = [row for row in read_log(self.path) if row["step"] <= step]
        write_rows(self.path, rows)
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

            self._writer = SummaryWriter(str(Path(run_dir) / "tensorboard"), purge_step=step + 1)
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=step, desc="train", unit="step", dynamic_ncols=True)

    def say(self, line: str) -> None:
        """A line for the reader, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        elif not self.silent:
            print(line, file=sys.stderr, flush=True)

    def advance(self) -> None:
        """One step is done."""
        if self._bar is not None:
            self._bar.update()

    def row(self, row: dict) -> None:
        """Write a row everywhere."""
        if self.silent:
            return
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if self._writer is not None:
            part = "valid" if row.get("valid") else "train"
            for name, value in _scalars(row):
                self._writer.add_scalar(f"{part}/{name}", value, row["step"])
            self._writer.flush()
        self.say(self._line(row))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._bar is not None:
            self._bar.close()

    def _line(self, row: dict) -> str:
        width = len(str(self.total))
        line = f"step {row['step']:>{width}}/{self.total}"
        line += " valid" if row.get("valid") else ""
        line += f" loss {_number(row['loss'])}"
        line += "".join(f" {task} {loss:.3f}" for task, loss in sorted(row["task_loss"].items()))
        if not row.get("valid"):
            line += f" lr {row['lr']:.2e} grad {_number(row['grad_norm'])}"
            line += f" {row['steps_per_second']:.2f} steps/s"
            seconds = 1 / max(row["steps_per_second"], 1e-9)
            self._pace = seconds if self._pace is None else self._pace + PACE * (seconds - self._pace)
            left = (self.total - row["step"]) * self._pace
            line += f" {_duration(left)} left" if row["step"] < self.total else ""
            line += f" SKIPPED {row['skipped_steps']}" if row["skipped_steps"] else ""
        return line


def read_log(path: str | Path) -> list[dict]:
    """Rows of a train_log.jsonl, none if there is no file; a last line cut off by a kill is left out."""
    if not Path(path).is_file():
        return []
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            rows.append(json.loads(line))
    return rows


def _scalars(row: dict) -> list[tuple[str, float]]:
    found = []
    for name, value in row.items():
        if isinstance(value, dict):
            found += [(f"{name}/{key}", number) for key, number in value.items() if number is not None]
        elif name not in ("step", "valid", "phase") and value is not None:
            found.append((name, value))
    return found


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _duration(seconds: float) -> str:
    """For people: seconds, then minutes, then hours and minutes."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
