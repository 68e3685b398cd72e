import math

import pytest
import torch
from torch import nn

from qwen_audio.config import with_all_keys
from qwen_audio.train.optim import build_optimizer, learning_rate, lr_scales

NAMES = [
    "encoder.conv1.weight",
    "encoder.embed_positions.weight",
    "encoder.layers.0.fc.weight",
    "encoder.layers.1.fc.weight",
    "encoder.layers.2.fc.bias",
    "encoder.layer_norm.weight",
    "adapter.proj.weight",
    "adapter.layers.0.weight",
    "decoder.new_rows",
]


def test_layer_decay_counts_from_the_top_of_the_encoder():
    scales = lr_scales(NAMES, 0.5, {})
    assert [scales[name] for name in NAMES] == [0.0625, 0.0625, 0.125, 0.25, 0.5, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("decay", [0, 1])
def test_a_decay_of_0_or_1_is_none(decay):
    assert set(lr_scales(NAMES, decay, {}).values()) == {1.0}


def test_the_longest_prefix_sets_the_factor():
    scales = lr_scales(NAMES, 0.5, {"adapter": 10, "adapter.proj": 3, "encoder": 2, "decoder.new_rows": 4})
    assert scales["adapter.proj.weight"] == 3
    assert scales["adapter.layers.0.weight"] == 10
    assert scales["encoder.layers.1.fc.weight"] == 2 * 0.25
    assert scales["decoder.new_rows"] == 4


def test_espnet_encoders_have_layers_too():
    names = [
        "encoder.embed.0.weight",
        "encoder.encoders.0.w",
        "encoder.encoders.1.w",
        "encoder.after_norm.weight",
    ]
    assert list(lr_scales(names, 0.5, {}).values()) == [0.125, 0.25, 0.5, 1.0]


def test_one_dimensional_parameters_have_no_weight_decay_and_frozen_ones_no_group():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    model[2].requires_grad_(False)
    optimizer = build_optimizer(model, with_all_keys({"optim_conf": {"lr": 0.1, "weight_decay": 0.3}}))
    decays = {name: group["weight_decay"] for group in optimizer.param_groups for name in group["names"]}
    assert decays == {"0.weight": 0.3, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0}
    assert optimizer.defaults["betas"] == (0.9, 0.98) and optimizer.defaults["eps"] == 1e-6


def test_the_rate_rises_linearly_and_falls_as_half_a_cosine():
    config = with_all_keys({"optim_conf": {"lr": 1.0}, "scheduler_conf": {"warmup_steps": 4, "min_lr": 0.2}})
    rates = [learning_rate(step, 9, config) for step in range(9)]
    fall = [0.2 + 0.8 * (1 + math.cos(math.pi * done)) / 2 for done in (0, 0.25, 0.5, 0.75, 1)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, *fall])
    assert fall[0] == 1.0 and fall[2] == pytest.approx(0.6) and rates[-1] == pytest.approx(0.2)


def test_the_rate_is_torchs_cosine_after_warm_up():
    config = with_all_keys(
        {"optim_conf": {"lr": 3e-4}, "scheduler_conf": {"warmup_steps": 0, "min_lr": 1e-5}}
    )
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=3e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=1e-5)
    for step in range(51):
        assert learning_rate(step, 51, config) == pytest.approx(schedule.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        schedule.step()


def test_the_factor_of_a_slot_may_find_nothing_to_train_and_that_of_a_part_may_not():
    assert lr_scales(["adapter.proj.weight"], 1, {"encoder": 2, "ctc": 3}) == {"adapter.proj.weight": 1.0}
    with pytest.raises(ValueError, match="lr_scale.encoder.conv1 fits no trained parameter"):
        lr_scales(["adapter.proj.weight"], 1, {"encoder.conv1": 2})


def test_errors_name_the_key():
    with pytest.raises(
        ValueError, match="lr_scale.adaptor fits no trained parameter; they begin with adapter"
    ):
        lr_scales(NAMES, 1, {"adaptor": 2})
    with pytest.raises(ValueError, match="layer_decay is 1.5; write a factor up to 1"):
        lr_scales(NAMES, 1.5, {})
    with pytest.raises(ValueError, match="freeze_param leaves nothing to train"):
        build_optimizer(nn.Linear(1, 1).requires_grad_(False), with_all_keys({}))
