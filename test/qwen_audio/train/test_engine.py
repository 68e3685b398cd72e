import copy
import os

import pytest
import torch
from torch import nn

from qwen_audio.config import with_all_keys
from qwen_audio.train.engine import LocalEngine, engine_class
from qwen_audio.train.ranks import Ranks

# an eps of the size of the gradients makes the step depend on their scale
CONFIG = with_all_keys(
    {"optim_conf": {"lr": 0.05, "weight_decay": 0.1, "eps": 0.1}, "layer_decay": 1, "grad_clip": 0.5}
)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(n + 1, 4, generator=generator), torch.randn(n + 1, 3, generator=generator))
        for n in range(count)
    ]


def token_losses(model, batch):
    return ((model.one(batch[0]) - batch[1]) ** 2).sum(1)


def backward(engine, model, batch):
    losses = token_losses(model, batch)
    engine.backward(losses.mean(), torch.tensor(float(len(losses))))


@pytest.mark.parametrize("clip", [0.5, 100.0])  # below and above every gradient here
def test_micro_batches_of_any_size_give_the_step_of_one_token_mean(clip):
    torch.manual_seed(0)
    model = TwoHeads()
    plain = copy.deepcopy(model)
    engine = LocalEngine(model, {**CONFIG, "grad_clip": clip}, Ranks())
    weights, biases = [plain.one.weight, plain.other.weight], [plain.one.bias, plain.other.bias]
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.98), eps=0.1, weight_decay=0.1)
    for step in range(4):
        micro = batches(3, seed=step)
        for batch in micro:
            backward(engine, model, batch)
        norm, bad = engine.step(lr=0.05)
        optimizer.zero_grad()
        torch.cat([token_losses(plain, batch) for batch in micro]).mean().backward()
        for param in plain.other.parameters():
            param.grad = torch.zeros_like(param)  # no branch used it: its gradient is zero, not absent
        wanted = nn.utils.clip_grad_norm_(plain.parameters(), clip)
        optimizer.step()
        assert float(bad) == 0 and float(norm) == pytest.approx(float(wanted), rel=1e-5)
    for (name, param), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(param, other, msg=name)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_nothing(poison):
    model = TwoHeads()
    engine, untouched = (
        LocalEngine(model, CONFIG, Ranks()),
        LocalEngine(copy.deepcopy(model), CONFIG, Ranks()),
    )
    for number, batch in enumerate(batches(3)):
        if number == 1:
            backward(engine, model, (batch[0] * poison, batch[1]))
            before = copy.deepcopy({**dict(model.named_parameters()), **engine.optimizer_tensors()})
            assert float(engine.step(lr=0.05)[1]) == 1
            after = {**dict(model.named_parameters()), **engine.optimizer_tensors()}
            assert all(torch.equal(before[name], after[name]) for name in before)
            continue
        backward(engine, model, batch)
        untouched_model = untouched.trained
        losses = (
            (batch[0] @ untouched_model["one.weight"].T + untouched_model["one.bias"] - batch[1]) ** 2
        ).sum(1)
        untouched.backward(losses.mean(), torch.tensor(float(len(losses))))
        assert float(engine.step(lr=0.05)[1]) == float(untouched.step(lr=0.05)[1]) == 0
    for name, param in engine.trained.items():
        torch.testing.assert_close(param, untouched.trained[name])


def test_a_step_without_a_supervised_token_changes_nothing():
    model = TwoHeads()
    engine, before = LocalEngine(model, CONFIG, Ranks()), copy.deepcopy(model.state_dict())
    engine.backward(token_losses(model, batches(1)[0]).mean() * 0, torch.tensor(0.0))
    assert float(engine.step(lr=0.05)[1]) == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_micro_batch_without_anything_to_learn_from_leaves_the_step_as_it_is():
    model = TwoHeads()
    engine, other = LocalEngine(model, CONFIG, Ranks()), copy.deepcopy(model)
    alone = LocalEngine(other, CONFIG, Ranks())
    backward(engine, model, batches(1)[0])
    engine.backward(torch.zeros(()), torch.tensor(0.0))  # texts alone, in a phase without lm
    backward(alone, other, batches(1)[0])
    assert [float(each.step(lr=0.05)[1]) for each in (engine, alone)] == [0, 0]
    assert all(torch.equal(param, alone.trained[name]) for name, param in engine.trained.items())
    with pytest.raises(RuntimeError, match="does not require grad"):  # tokens counted, and nothing is trained
        engine.backward(torch.zeros(()), torch.tensor(3.0))


def test_optimizer_state_travels_by_name():
    model = TwoHeads()
    engine = LocalEngine(model, CONFIG, Ranks())
    backward(engine, model, batches(1)[0])
    engine.step(lr=0.05)
    clone = copy.deepcopy(model)
    other = LocalEngine(clone, CONFIG, Ranks())
    other.load_optimizer_tensors(
        {name: tensor.clone() for name, tensor in engine.optimizer_tensors().items()}
    )
    assert "exp_avg/one.weight" in engine.optimizer_tensors()
    for batch in batches(2, seed=1):
        backward(engine, model, batch)
        backward(other, clone, batch)
        engine.step(lr=0.05), other.step(lr=0.05)
    assert all(torch.equal(param, other.trained[name]) for name, param in engine.trained.items())


def test_trained_weights_are_float32_and_frozen_ones_keep_their_type():
    model = TwoHeads().bfloat16()
    model.other.requires_grad_(False)
    LocalEngine(model, CONFIG, Ranks())
    assert (model.one.weight.dtype, model.other.weight.dtype) == (torch.float32, torch.bfloat16)


def test_deepspeed_computes_where_the_run_does_whatever_other_device_there_is(monkeypatch):
    monkeypatch.setenv("DS_ACCELERATOR", "none")
    for device, wanted in (("cuda:1", "cuda"), ("cpu", "cpu")):
        engine_class("deepspeed", device)
        assert os.environ["DS_ACCELERATOR"] == wanted
