import json

import pytest
from matplotlib import pyplot

from qwen_audio.train import plot


@pytest.fixture
def log(tmp_path):
    rows = []
    for step in (10, 20, 30):
        rows.append({"step": step, "loss": 9.0 / step, "task_loss": {"asr": 6.0 / step, "mic": 3.0}})
    rows.append({"step": 30, "valid": True, "loss": 0.7, "task_loss": {"asr": 0.8}})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "log.jsonl"


def test_every_task_has_a_panel_with_its_train_and_valid_curve(log, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(pyplot, "close", figures.append)
    plot.plot_log(log, tmp_path / "loss.png")
    panels = {axis.get_title(loc="left"): axis.lines for axis in figures[0].axes if axis.get_visible()}
    assert list(panels) == ["whole loss", "asr", "mic"]
    curves = [
        (line.get_label(), line.get_xdata().tolist(), line.get_ydata().tolist()) for line in panels["asr"]
    ]
    assert curves == [("train", [10, 20, 30], [0.6, 0.3, 0.2]), ("valid", [30], [0.8])]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "loss.png"]


def test_a_log_without_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"none.jsonl has no rows; train first"):
        plot.plot_log(tmp_path / "none.jsonl", tmp_path / "loss.png")
