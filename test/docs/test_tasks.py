"""docs/tasks.md: its task is trained, decoded and scored as written; it names every key, kind and baseline."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from qwen_audio import cli
from qwen_audio.score.own import UNITS, own_metric
from qwen_audio.score.registry import BASELINES, compute
from qwen_audio.task_fields import KINDS
from qwen_audio.task_spec import GROUPS, TaskSpec, load_tasks

PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text(encoding="utf-8")
FURTHER = {"utt": "u2", "task": "birds", "birds": ["blackbird", "robin"]}


@pytest.fixture
def recipe(tmp_path, tiny_whisper, tiny_llm, monkeypatch):
    """A recipe folder with the files of the page, a configuration, and the sets ``train`` and ``test``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("tasks").mkdir()
    for kind in ("python", "yaml"):
        (block,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)
        name = re.match(r"# ([\w./]+)", block)[1]
        Path(name).write_text(block, encoding="utf-8")
    config = {
        "encoder_conf": {"model": str(tiny_whisper)},
        "decoder_conf": {"model": str(tiny_llm)},
        "freeze_param": ["encoder", "decoder"],
        "phases": [{"steps": 2, "task_weights": {"birds": 1}}],
        "batch_conf": {"max_examples": 2},
        "num_workers": 0,
    }
    Path("pretrain.yaml").write_text(yaml.safe_dump(config))
    row = re.search(r"^```json\n(.*?)^```", PAGE, re.M | re.S)[1]
    for name in ("train", "test"):
        Path("data", name).mkdir(parents=True)
        for n in (1, 2):
            samples = np.random.default_rng(n).normal(0, 0.1, 9000 + 1111 * n)
            soundfile.write(f"data/{name}/u{n}.wav", samples, 16000)
        Path("data", name, "wav.scp").write_text(
            f"u1 {tmp_path}/data/{name}/u1.wav\nu2 {tmp_path}/data/{name}/u2.wav\n"
        )
        Path("data", name, "utt2spk").write_text("u1 anna\nu2 anna\n")
        Path("data", name, "examples.jsonl").write_text(row + json.dumps(FURTHER) + "\n")
    yield tmp_path
    sys.modules.pop("bird_metrics", None)
    own_metric.cache_clear()


def test_the_task_of_the_page_is_trained_decoded_and_scored_by_its_metric(recipe, capsys):
    cli.run("tasks", ["birds", "--example"])
    assert (
        "answer\t1\ttext\trobin, great tit\nanswer\t1\ttag\t<|scene|>\nanswer\t1\ttext\tgarden\n"
        in capsys.readouterr().out
    )
    for name in ("train", "test"):
        cli.run("prepare", [f"data/{name}", f"raw/{name}"])
    cli.run("tokenizer", ["--config", "pretrain.yaml", "--train", "raw/train", "--out", "tokenizer"])
    for name in ("train", "test"):
        cli.run("tokenize", [f"raw/{name}", f"tokens/{name}", "--tokenizer", "tokenizer", "--tasks", "birds"])
    cli.run(
        "train",
        ["--config", "pretrain.yaml", "--train", "tokens/train", "--valid", "--output", "exp/pretrain_b"],
    )
    cli.run("average", ["exp/pretrain_b"])
    decoded = "exp/pretrain_b/decode"
    cli.run("decode", ["--model", "exp/pretrain_b", "--sets", "tokens/test", "--output", decoded])
    hyps = [json.loads(line)["hyp"] for line in Path(decoded, "test/hyp.jsonl").read_text().splitlines()]
    cli.run("score", ["--results", ".", "--train", "raw/train", "--decoded", f"{decoded}/test:raw/test"])
    rows = {row["metric"]: row for row in json.loads(Path("results.json").read_text())["rows"]}
    assert list(rows) == ["accuracy", "bird_metrics:Recall"] and len(hyps) == 2
    row = rows["bird_metrics:Recall"]
    # the majority answer is that of the first row: both of its birds, and the robin of the other's two
    assert (row["protocol"], row["baseline"], row["parts"]["birds"]) == ("exact", 3 / 4, 4)


def test_the_command_of_the_page_is_understood_and_trains_its_task(understand):
    (line,) = re.findall(r"^    (./run.sh .*)", PAGE, re.M)
    understand(line)
    assert re.search(r'--tasks "[a-z ]*\bbirds\b', line)


def test_the_metric_of_the_page_counts_birds(recipe):
    refs = {"a": ["robin, great tit<|scene|>garden"], "b": ["crow"]}
    hyps = {"a": "great tit, Robin", "b": "no<|delim|>answer<|scene|>"}
    assert compute("bird_metrics:Recall", refs, hyps)["score"] == 1 / 3
    assert compute("bird_metrics:Recall", refs, hyps, "any_case")["score"] == 2 / 3


def test_every_key_kind_group_baseline_and_unit_stands_on_the_page(recipe):
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    keys = [key for first, _ in rows for key in re.findall(r"`(\w+)`", first)]
    assert sorted(keys) == sorted(TaskSpec.__dataclass_fields__.keys() - {"path"})
    shown = yaml.safe_load(Path("tasks/birds.yaml").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(keys) and load_tasks()["birds"].target == "{birds}"
    says = {key: second for first, second in rows for key in re.findall(r"`(\w+)`", first)}
    for key, names in (("kinds", KINDS), ("group", GROUPS), ("baseline", BASELINES)):
        assert set(names) <= set(re.findall(r"`(\w+)`", says[key]))
    assert f"units: {', '.join(UNITS)}" in PAGE
