import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import write_set

from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.stats import plan_stats, set_stats, write_stats


def test_lengths_and_counts_are_those_of_the_rows(tmp_path):
    random = np.random.default_rng(0)
    samples, target = random.integers(1600, 160000, 300), random.integers(1, 40, 300)
    data = write_set(
        tmp_path / "set", [("asr", int(n), 3, int(t)) for n, t in zip(samples, target, strict=True)]
    )
    found = set_stats(data)["asr"]
    assert (found["rows"], found["target_tokens"], found["prompt_tokens"]) == (300, target.sum(), 900)
    assert found["ctc_tokens"] == (target - 1).sum()
    assert found["hours"] == pytest.approx(samples.sum() / 16000 / 3600)
    seconds = samples / 16000
    assert found["seconds"] == pytest.approx(
        {
            "mean": seconds.mean(),
            "p50": np.quantile(seconds, 0.5, method="inverted_cdf"),
            "p95": np.quantile(seconds, 0.95, method="inverted_cdf"),
            "p99": np.quantile(seconds, 0.99, method="inverted_cdf"),
            "max": seconds.max(),
        },
        abs=0.01,
    )
    assert found["target"]["p95"] == np.quantile(target, 0.95, method="inverted_cdf")


def test_the_plan_is_described_by_its_batches(tmp_path):
    data = write_set(tmp_path / "set", [("asr", 1600, 2, 3)] * 20 + [("lid", 3200, 2, 3)] * 20)
    phases = [{"steps": 30, "task_weights": {"asr": 1, "lid": 3}}]
    plan = BatchPlan([data], phases, {"max_examples": 8, "window": 1}, lambda samples: samples // 160)
    found = plan_stats(plan)  # a window is one batch: 2 rows of asr (15 positions), 6 of lid (25)
    assert found["rows_per_step"] == {"mean": 8, "min": 8, "max": 8}
    assert found["padding"] == pytest.approx(1 - (2 * 15 + 6 * 25) / (8 * 25))
    assert found["audio_seconds_per_step"] == pytest.approx(2 * 0.1 + 6 * 0.2)
    assert found["tasks_per_step"] == 2
    assert found["epochs"] == pytest.approx({"asr": 30 * 2 / 20, "lid": 30 * 6 / 20})


def test_the_table_and_the_json_are_written(tmp_path):
    data = write_set(tmp_path / "one_train", [("asr", 16000, 2, 3), ("asr", 48000, 2, 5)])
    table = write_stats([data], tmp_path / "stats")
    assert "| one_train | asr | 2 | 0.00 | 2.00 / 3.00 / 3.00 | 4.0 / 5 / 5 |" in table
    assert (tmp_path / "stats" / "stats.md").read_text() == table
    stats = json.loads((tmp_path / "stats" / "stats.json").read_text())
    assert list(stats["sets"].values())[0]["asr"]["rows"] == 2
