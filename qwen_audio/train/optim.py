"""Parameter groups, AdamW, and the learning rate as a pure function of the step."""

import math
import re

import torch
from torch import nn

from qwen_audio.registry import SLOTS

_LAYER = re.compile(r"^encoder\.(?:.+\.)?(?:layers|blocks|encoders)\.(\d+)\.")


def build_optimizer(model: nn.Module, config: dict) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; each group carries its ``lr_scale`` and the ``names`` in it.

    One-dimensional parameters (norms, biases) have no weight decay.

    Raises:
        ValueError: for an ``lr_scale`` prefix within a slot without a trainable parameter, or where none is trainable.
    """
    conf = config["optim_conf"]
    trained = {name: param for name, param in model.named_parameters() if param.requires_grad}
    if not trained:
        raise ValueError("freeze_param leaves nothing to train; remove a prefix from it")
    scales = lr_scales(list(trained), config["layer_decay"], config["lr_scale"])
    groups: dict[tuple[float, bool], list[str]] = {}
    for name, param in trained.items():
        groups.setdefault((scales[name], param.ndim > 1), []).append(name)
    return torch.optim.AdamW(
        [
            {
                "params": [trained[name] for name in names],
                "names": names,
                "lr_scale": scale,
                "weight_decay": conf["weight_decay"] if decays else 0.0,
            }
            for (scale, decays), names in groups.items()
        ],
        lr=conf["lr"],
        betas=tuple(conf["betas"]),
        eps=conf["eps"],
        fused=True,  # one kernel, and a step can be called off on the device, without asking the host
    )


def lr_scales(names: list[str], layer_decay: float, lr_scale: dict[str, float]) -> dict[str, float]:
    """Learning-rate factor of each parameter: layer decay in the encoder times the factor of its prefix.

    With L encoder layers, layer n is at layer_decay ** (L - n), what is registered before the layers
    (convolutions, positions) at layer_decay ** (L + 1), and what follows them at 1 (BEiT, arXiv:2106.08254).
    The factor of the longest matching prefix in ``lr_scale`` counts. A decay of 0, as Qwen-Audio's table 6
    writes for "none", or 1 changes nothing. A prefix that is a slot's name may match nothing: a variant can empty
    or freeze what its base trains.
    """
    if not 0 <= layer_decay <= 1:
        raise ValueError(
            f"layer_decay is {layer_decay}; write a factor up to 1, 0.95 in Qwen-Audio, or 0 for none"
        )
    layers = [int(match[1]) for name in names if (match := _LAYER.match(name))]
    count, seen_layer = max(layers, default=-1) + 1, False
    scales = {}
    for name in names:
        below = 0
        if (match := _LAYER.match(name)) is not None:
            below, seen_layer = count - int(match[1]), True
        elif name.startswith("encoder.") and not seen_layer and count:
            below = count + 1
        prefixes = [prefix for prefix in lr_scale if name == prefix or name.startswith(prefix + ".")]
        factor = lr_scale[max(prefixes, key=len)] if prefixes else 1.0
        scales[name] = factor * (layer_decay or 1.0) ** below
    for prefix in lr_scale:
        if prefix not in SLOTS and not any(name == prefix or name.startswith(prefix + ".") for name in names):
            heads = sorted({name.split(".")[0] for name in names})
            raise ValueError(
                f"lr_scale.{prefix} fits no trained parameter; they begin with {', '.join(heads)}"
            )
    return scales


def warm_up_note(steps: int, config: dict) -> list[str]:
    """A line where a run of ``steps`` ends before its warm-up does; else none."""
    warmup = config["scheduler_conf"]["warmup_steps"]
    if warmup < steps:
        return []
    return [
        f"the learning rate only rises: scheduler_conf.warmup_steps is {warmup}, of {steps} steps; write for example"
        f" {steps // 10}"
    ]


def learning_rate(step: int, total: int, config: dict) -> float:
    """Rate of ``step`` (from 0) of ``total``: linear to the peak in ``warmup_steps``, then half a cosine to
    ``min_lr``, reached in the last step.
    """
    peak, conf = config["optim_conf"]["lr"], config["scheduler_conf"]
    warmup, floor = conf["warmup_steps"], conf["min_lr"]
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, total - 1 - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
