"""Stage 3 on sets that stand for a run: it plans what `qwen-audio train` would train."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import write_set

from qwen_audio.build import frame_counter
from qwen_audio.cli import run
from qwen_audio.config import DEFAULTS, merge
from qwen_audio.data import collate
from qwen_audio.tokenizer import train_sentencepiece


def tokenised_by(tokenizer, folder):
    for meta in (folder / "train/meta.json", folder / "valid/meta.json"):
        meta.write_text(json.dumps({**json.loads(meta.read_text()), "tokenizer": str(tokenizer)}))


@pytest.fixture
def call(parts, tmp_path, tiny_tokenizer):
    """Function (more arguments) -> stats.json of a training and a validation set of 20 and 4 clips of 2 s."""
    config = {**parts["encoder"]["whisper"], "adapter": "stack_linear", "adapter_conf": {"stride": 4}}
    config |= {**parts["decoder"]["frozen"], "phases": [{"steps": 5, "task_weights": {"asr": 1, "sec": 1}}]}
    config["batch_conf"] = {"max_examples": 4}
    (tmp_path / "conf.yaml").write_text(yaml.safe_dump(config))
    write_set(tmp_path / "train", [("asr", 32000, 5, 7)] * 20)
    write_set(tmp_path / "valid", [("asr", 32000, 5, 7), ("lid", 32000, 5, 37)] * 2)

    tokenised_by(tiny_tokenizer.folder, tmp_path)

    def call(*more):
        args = ["--config", "conf.yaml", "--train", "train", "--valid", "valid", "--output", "stats", *more]
        run("stats", [str(tmp_path / arg) if (tmp_path / arg).exists() else arg for arg in args])
        return json.loads(Path("stats/stats.json").read_text())

    return call


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_plan_is_of_the_training_sets_and_of_the_models_frames(call, capsys):
    found = call()
    assert len(found["sets"]) == 2
    assert found["plan"]["epochs"] == {"asr": pytest.approx(5 * 4 / 20)}
    assert found["plan"]["positions_per_step"] == 4 * (25 + 5 + 7)  # 2 s in frames of 80 ms
    assert "phase 0: the sets have no examples of sec" in capsys.readouterr().out


def test_a_run_that_ends_before_its_warm_up_is_said(call, capsys):
    call("--override", "scheduler_conf.warmup_steps=5")
    assert "scheduler_conf.warmup_steps is 5, of 5 steps; write for example 0\n" in capsys.readouterr().out
    call("--override", "scheduler_conf.warmup_steps=4")
    assert "warmup_steps" not in capsys.readouterr().out


def test_the_plan_is_of_the_configuration_with_its_overrides(call):
    plan = call("--override", "adapter_conf.stride=2", "batch_conf.max_examples=2")["plan"]
    assert plan["positions_per_step"] == 2 * (50 + 5 + 7)


def test_a_row_for_which_training_would_stop_is_named_in_validation_too(call):
    with pytest.raises(
        SystemExit, match=r"valid: utterance utt1 \(task lid\) takes 67, above .*max_positions"
    ):
        call("--override", "batch_conf.max_positions=60")


def test_features_that_the_frontend_does_not_give_are_refused(call, tmp_path, monkeypatch):
    meta = tmp_path / "train/meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "feats_type": "fbank"}))
    shutil.copy(meta, tmp_path / "valid/meta.json")
    monkeypatch.setattr(collate, "read_matrix", lambda spec: np.zeros((7, 128)))
    with pytest.raises(SystemExit, match="train holds features of 128 mel channels, the frontend gives 80"):
        call()
    with pytest.raises(
        SystemExit, match="train holds features, whose speed cannot change; write speed_perturb"
    ):
        call("--override", "speed_perturb={factors: [0.9], tasks: [asr]}")


def test_a_decoder_that_the_sets_were_not_tokenised_for_is_refused(call, tmp_path):
    train_sentencepiece(["press one to hear it again"] * 9, tmp_path / "tokenizer", pieces=40)
    tokenised_by(tmp_path / "tokenizer", tmp_path)
    with pytest.raises(SystemExit, match="tokenised for sentencepiece .*the decoder is .*run stage 2 again"):
        call()


@pytest.mark.parametrize("encoder", ["whisper", "conformer", "e_branchformer"])
@pytest.mark.parametrize("adapter", ["pool_linear", "stack_linear", "conv"])
def test_frames_are_counted_as_by_the_model(tiny_model, parts, encoder, adapter):
    config = merge(DEFAULTS, {**parts["encoder"][encoder], **parts["adapter"][adapter]})
    count, model, samples = frame_counter(config), tiny_model(encoder, adapter), [8000, 16000, 47999]
    assert count(np.array(samples)).tolist() == [model.num_frames(n) for n in samples]


def test_a_task_that_no_phase_draws_is_refused(call):
    with pytest.raises(SystemExit, match=r"no phase draws: lid 2; weigh them in phases\[0\].task_weights"):
        call("--train", "valid")
