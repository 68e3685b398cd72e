import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

TEST = Path(__file__).parents[1]
sys.path.insert(0, str(TEST))
from toy_run import run_on_two_ranks, toy_config, toy_trainer, write_toy_sets

from qwen_audio.config import with_all_keys
from qwen_audio.data.token_set import TokenSet
from qwen_audio.train import deepspeed_engine
from qwen_audio.train.deepspeed_engine import _settings
from qwen_audio.train.log import read_log


def rows(folder: Path) -> list[tuple]:
    log = read_log(folder / "train_log.jsonl")
    return [(row["step"], row.get("skipped_steps", 0), row["loss"]) for row in log]


def test_two_ranks_of_deepspeed_go_on_from_a_checkpoint_as_the_local_engine_does(tmp_path):
    sets = write_toy_sets(tmp_path / "sets")
    poison = int(TokenSet(sets / "train").rows[7]["samples"])
    trainer = toy_trainer(
        tmp_path / "local", sets, toy_config(12, accum_grad=2, keep_checkpoints=3), dropout=0.0
    )
    trainer.model.poison = {poison}
    trainer.run()

    shutil.copytree(tmp_path / "local", tmp_path / "deep")
    shutil.rmtree(tmp_path / "deep" / "checkpoints" / "step_00000008")
    shutil.rmtree(tmp_path / "deep" / "checkpoints" / "step_00000012")
    options = ["--trainer", "deepspeed", "--dropout", 0, "--accum_grad", 2, "--poison", poison]
    done = run_on_two_ranks(TEST / "toy_run.py", tmp_path / "deep", sets, *options)
    assert done.returncode == 0, done.stderr
    # a thread of gloo that still ran could abort the process
    assert done.stdout.splitlines().count("1 thread(s) at the end") == 2

    for file in ("model.safetensors", "optimizer.safetensors"):
        local, deep = (
            load_file(tmp_path / name / "checkpoints" / "step_00000012" / file) for name in ("local", "deep")
        )
        assert deep.keys() == local.keys()
        for name, tensor in local.items():
            torch.testing.assert_close(deep[name], tensor, rtol=1e-3, atol=1e-5)
    assert rows(tmp_path / "deep") == [pytest.approx(row, rel=1e-4) for row in rows(tmp_path / "local")]
    assert sum(skipped for step, skipped, _ in rows(tmp_path / "local") if step > 4) >= 1


@pytest.mark.parametrize("rank", [0, 1])
def test_all_ranks_gather_optimizer_state_and_rank_0_alone_keeps_it(monkeypatch, rank):
    asked = []

    def gather(param, moment):
        asked.append(moment)
        return torch.ones_like(param)

    monkeypatch.setattr(deepspeed_engine, "safe_get_full_optimizer_state", gather)
    engine = object.__new__(deepspeed_engine.DeepSpeedEngine)
    engine.ranks = SimpleNamespace(rank=rank)
    engine.trained = {"weight": torch.zeros(3)}
    engine.optimizer = SimpleNamespace(optimizer=SimpleNamespace(state={0: {"step": torch.tensor(2.0)}}))
    kept = ["exp_avg/weight", "exp_avg_sq/weight", "step/weight"] if rank == 0 else []
    assert list(engine.optimizer_tensors()) == kept
    assert asked == ["exp_avg", "exp_avg_sq"]


def test_a_micro_batch_without_anything_to_learn_from_takes_no_backward_pass():
    engine, passes = object.__new__(deepspeed_engine.DeepSpeedEngine), []
    engine.engine, engine._sums = SimpleNamespace(backward=passes.append), torch.zeros(2)
    engine.backward(torch.zeros(()), torch.tensor(0.0))  # texts alone, in a phase without lm
    engine.backward(torch.ones((), requires_grad=True), torch.tensor(2.0))
    assert len(passes) == 1 and engine._sums.tolist() == [2, 2]


def test_other_settings_of_deepspeed_are_passed_on():
    settings = _settings(with_all_keys({"deepspeed_conf": {"wall_clock_breakdown": True}}), world=4)
    assert settings["train_batch_size"] == 4 and settings["wall_clock_breakdown"]
