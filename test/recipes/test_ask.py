import json
import subprocess
import sys

import pytest
from shell_recipe import ROOT


def ask(*words, cwd):
    command = [sys.executable, "-X", "importtime", str(ROOT / "recipes/ask.py"), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    return done.stdout, imported, said


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    sets = {"train": ["one_train", "one_two_train", "oneness_train", "two_train"], "test": []}
    (tmp_path / "data/sets.json").write_text(json.dumps(sets))
    (tmp_path / "base.yaml").write_text("seed: 1\nlog_steps: 2\ndecoder: transformer\n")
    (tmp_path / "a.yaml").write_text("include: base.yaml\nseed: 3\n")
    return tmp_path


def test_sets_are_those_of_the_corpora(folder):
    assert ask("sets", "train", "one", cwd=folder)[0] == "one_train one_two_train\n"
    assert ask("sets", "train", "one two", cwd=folder)[0] == "one_train one_two_train two_train\n"
    assert ask("sets", "test", "one", cwd=folder)[0] == "\n"


def test_a_configuration_is_whole_or_the_keys_asked_for_with_the_changes_of_the_arguments(folder):
    whole, imported, _ = ask("config", "a.yaml", cwd=folder)
    assert whole == '{"decoder": "transformer", "log_steps": 2, "seed": 3}\n'
    assert "torch" not in imported
    changed = ask("config", "a.yaml", "seed", "optim", "--ngpu", "2", "--override", "seed=4", cwd=folder)[0]
    assert changed == '{"seed": 4}\n'


def test_the_tokenizer_is_named_where_the_arguments_or_the_configuration_give_another(folder):
    assert ask("tokenizer", "a.yaml", "a.yaml", "--override", "seed=4", cwd=folder)[0] == "|\n"
    assert ask("tokenizer", "base.yaml", "a.yaml", cwd=folder)[0] == "|\n"
    other = ask("tokenizer", "a.yaml", "a.yaml", "--override", "tokenizer_conf.pieces=50", cwd=folder)[0]
    assert other == "pieces_50|\n"
    (folder / "llm.yaml").write_text(
        "include: a.yaml\ndecoder: hf_causal_lm\ndecoder_conf: {model: some/llm}\n"
    )
    assert ask("tokenizer", "a.yaml", "llm.yaml", cwd=folder)[0] == "some/llm|\n"
    assert ask("tokenizer", "llm.yaml", "a.yaml", cwd=folder)[0] == "pieces_1000|\n"


def test_the_model_that_training_starts_from_is_named(folder):
    (folder / "tuned.yaml").write_text("include: a.yaml\ninit: exp/one\n")
    assert ask("tokenizer", "tuned.yaml", "tuned.yaml", cwd=folder)[0] == "|exp/one\n"
    assert ask("tokenizer", "a.yaml", "tuned.yaml", "--init", "exp/two", cwd=folder)[0] == "exp/two|exp/two\n"


def test_keys_of_task_files_are_of_the_tasks_asked_for_or_of_all(folder):
    asked, imported, _ = ask("tasks", ROOT / "recipes/tasks", "asr lid", "metrics", cwd=folder)
    assert list(json.loads(asked)) == ["asr", "lid"] and "torch" not in imported
    names = [path.stem for path in (ROOT / "recipes/tasks").glob("*.yaml")]
    assert set(json.loads(ask("tasks", ROOT / "recipes/tasks", "", "metrics", cwd=folder)[0])) == set(names)


def test_keys_are_of_the_recipes_own_tasks_too(folder):
    (folder / "tasks").mkdir()
    text = (ROOT / "recipes/tasks/sec.yaml").read_text().replace("name: sec", "name: birds")
    (folder / "tasks/birds.yaml").write_text(text)
    assert "birds" in json.loads(ask("tasks", ROOT / "recipes/tasks", "", "metrics", cwd=folder)[0])
    (folder / "tasks/birds.yaml").write_text("name: bird\n")
    assert ask("tasks", ROOT / "recipes/tasks", "", "metrics", cwd=folder)[2][0].startswith(
        "tasks/birds.yaml: "
    )


def test_a_fault_is_one_line(folder):
    assert ask("config", "gone.yaml", cwd=folder)[2] == ["gone.yaml: no such configuration file"]
