import os

import pytest
import torch
from torch import nn

from qwen_audio.train import checkpoint


def tensors(value):
    return {"w": torch.full((2, 3), float(value))}


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save(tmp_path, 7, tensors(1), {"exp_avg/w": torch.ones(2)}, {"step": 7})
    ((step, folder),) = checkpoint.checkpoints(tmp_path)
    model, optimizer, state = checkpoint.load(folder)
    assert (step, state) == (7, {"step": 7})
    assert torch.equal(model["w"], tensors(1)["w"]) and torch.equal(optimizer["exp_avg/w"], torch.ones(2))


def test_a_break_at_any_file_operation_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def count(limit, call):
        def counted(*args, **kwargs):
            calls[0] += 1
            if calls[0] > limit:
                raise Killed
            return call(*args, **kwargs)

        return counted

    last, limit, done = 0, 0, False
    while not done:
        calls = [0]
        with monkeypatch.context() as patch:
            for module, name in ((os, "fsync"), (os, "rename"), (os, "unlink"), (os, "rmdir"), (os, "open")):
                patch.setattr(module, name, count(limit, getattr(module, name)))
            patch.setattr(checkpoint, "save_file", count(limit, checkpoint.save_file))
            try:
                checkpoint.save(tmp_path, last + 1, tensors(last + 1), {}, {"step": last + 1})
                checkpoint.tidy(tmp_path, keep=1)
                done = True
            except Killed:
                pass
        found = checkpoint.checkpoints(tmp_path)
        assert last == 0 or found
        for step, folder in found:
            model, _, state = checkpoint.load(folder)
            assert state["step"] == step and model["w"][0, 0] == step
        last, limit = found[-1][0] if found else 0, limit + 1
    assert limit > 10
    checkpoint.tidy(tmp_path, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"step_{last:08d}"]


def test_only_the_last_are_kept(tmp_path):
    for step in (100, 20, 3):
        checkpoint.save(tmp_path, step, tensors(step), {}, {})
    checkpoint.tidy(tmp_path, keep=2)
    assert [step for step, _ in checkpoint.checkpoints(tmp_path)] == [20, 100]


def test_frozen_weights_are_not_written_but_buffers_are():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    model[2].requires_grad_(False)
    model[2].weight = model[2].weight  # stays frozen
    names = {
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    }
    assert set(checkpoint.model_tensors(model)) == names


def test_tied_weights_are_written_once():
    model = nn.ModuleDict({"embed": nn.Embedding(4, 2), "head": nn.Linear(2, 4, bias=False)})
    model["head"].weight = model["embed"].weight
    assert set(checkpoint.model_tensors(model)) == {"embed.weight"}


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    model = nn.Linear(2, 3)
    with pytest.raises(
        ValueError, match=r"ckpt does not fit the model: it lacks \['bias'\] \(1\), and has \['w'\]"
    ):
        checkpoint.load_model_tensors(model, {"w": torch.zeros(1), "weight": model.weight}, "ckpt")
    with pytest.raises(ValueError, match=r"ckpt: weight is \(3, 9\), the model's \(3, 2\)"):
        checkpoint.load_model_tensors(model, {"weight": torch.zeros(3, 9), "bias": torch.zeros(3)}, "ckpt")


def test_a_changed_configuration_is_named_by_its_key(tmp_path):
    old = {"config": {"optim_conf": {"lr": 1.0}, "phases": [{"steps": 3}], "freeze_param": ["decoder"]}}
    checkpoint.check_same(old, {"config": dict(reversed(old["config"].items()))}, "exp/run")
    for change, message in (
        ({"optim_conf": {"lr": 2.0}}, "config.optim_conf.lr was 1.0 and is now 2.0; set it back to go on"),
        ({"phases": [{"steps": 4}]}, "config.phases.0.steps was 3 and is now 4"),
        ({"freeze_param": []}, r"config.freeze_param was \['decoder'\] and is now \[\]"),
        ({"optim_conf": {"lr": 1.0, "eps": 3}}, "config.optim_conf.eps was 'not set' and is now 3"),
    ):
        with pytest.raises(ValueError, match=f"exp/run holds checkpoints of another run: {message}"):
            checkpoint.check_same(old, {"config": {**old["config"], **change}}, "exp/run")
