"""What happens to the weights in a step: gradients of all micro-batches and ranks, clipping, AdamW."""

import os

import torch
from torch import Tensor, nn

from qwen_audio.train.optim import build_optimizer
from qwen_audio.train.ranks import Ranks


class LocalEngine:
    """Whole copies of the trained weights on every rank; gradients are summed once a step.

    All gradients live in one flat float32 buffer, which ends with the loss and the token count. So a step
    takes one all-reduce, the loss is the exact mean over the tokens of all ranks and micro-batches, and a
    parameter that took no part in a step has a gradient of zero on every rank, whichever branch a batch used.

    Trained weights and their optimizer state are float32; the forward pass may run under autocast.
    """

    def __init__(self, model: nn.Module, config: dict, ranks: Ranks):
        self.ranks, self.clip = ranks, config["grad_clip"]
        model.to(ranks.device)
        self.trained = {name: param for name, param in model.named_parameters() if param.requires_grad}
        for param in self.trained.values():
            param.data = param.data.float().contiguous()
        self.optimizer = build_optimizer(model, config)
        sizes = [param.numel() for param in self.trained.values()]
        self._buffer = torch.zeros(sum(sizes) + 2, device=ranks.device)
        self._gradient, self._sums = self._buffer[:-2], self._buffer[-2:]
        for param, view in zip(self.trained.values(), self._gradient.split(sizes), strict=True):
            param.grad = view.view_as(param)  # autograd adds in place
        for tensor in [*model.parameters(), *model.buffers()]:
            ranks.first_(tensor.data)

    def backward(self, loss: Tensor, weight: Tensor) -> None:
        """Add a micro-batch: ``loss`` (0-dim) is its mean over ``weight`` (0-dim) tokens."""
        total = loss * weight
        if total.requires_grad or weight > 0:  # texts alone have no graph in a phase without lm
            total.backward()
        self._sums += torch.stack([total.detach(), weight])

    def step(self, lr: float) -> tuple[Tensor, Tensor]:
        """Update the weights, unless loss or gradient are not finite or the batch had no supervised token.

        Nothing here waits for the device.

        Returns: gradient norm before clipping, and 1.0 where the update was called off, both 0-dim.
        """
        self.ranks.sum_(self._buffer)
        loss, tokens = self._sums
        norm = torch.linalg.vector_norm(self._gradient) / tokens
        bad = (~torch.isfinite(norm + loss)).float()  # 0 / 0 where there was no token
        factor = (self.clip / (norm + 1e-6)).clamp(max=1.0) if self.clip else torch.ones_like(norm)
        self._gradient.mul_(factor / tokens)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        self.optimizer.found_inf = bad  # the fused kernel then leaves weights, moments and count as they are
        self.optimizer.step()
        self._buffer.zero_()
        return norm, bad

    def close(self) -> None:
        """End the training; this engine holds nothing that it would have to give back."""

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Optimizer state, named ``exp_avg/encoder.conv1.weight`` and so on."""
        state = self.optimizer.state
        return {
            f"{kind}/{name}": value
            for name, param in self.trained.items()
            for kind, value in state[param].items()
        }

    def load_optimizer_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take over what ``optimizer_tensors`` gave for the same parameters."""
        for full_name, value in tensors.items():
            kind, name = full_name.split("/", 1)
            self.optimizer.state[self.trained[name]][kind] = value.to(self.ranks.device)


def engine_class(name: str, device: str) -> type:
    """The engine of ``trainer: name``, ``local`` or ``deepspeed``, for training on ``device``.

    To be called before the ranks meet: default arguments of DeepSpeed would hold their process group for ever,
    and importing it takes seconds, so it is done only where it is asked for.
    """
    if name == "deepspeed":
        os.environ["DS_ACCELERATOR"] = torch.device(device).type  # else it takes a GPU wherever there is one
        from qwen_audio.train.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine
    return LocalEngine
