"""``trainer: deepspeed``: the local engine with its optimizer state split over the ranks (ZeRO stage 1)."""

import logging
import os

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.utils import safe_get_full_optimizer_state, safe_set_full_optimizer_state
from torch import Tensor, nn

from qwen_audio.train.optim import build_optimizer
from qwen_audio.train.ranks import Ranks

MOMENTS = ("exp_avg", "exp_avg_sq")


class DeepSpeedEngine:
    """The local engine's answers from DeepSpeed's ZeRO optimizer.

    Each rank keeps the moments of its share of the weights: with N ranks AdamW's 8 bytes a weight become
    8 / N. Gradients stay whole until the step, which makes the loss the exact mean over the tokens of all
    ranks and micro-batches, however the rows fall. Stage 2 would sum them within each backward pass, where all
    ranks must then have as many passes, over the same weights; here one may lack a row, or have texts alone.
    Checkpoints are the local engine's, so another number of ranks can go on.

    Runs on GPUs and on the CPU, also with one rank.
    """

    def __init__(self, model: nn.Module, config: dict, ranks: Ranks):
        self.ranks, self.model = ranks, model
        settings = _settings(config, ranks.world)
        model.to(ranks.device)
        self.trained = {name: param for name, param in model.named_parameters() if param.requires_grad}
        for param in self.trained.values():
            param.data = param.data.float().contiguous()
        for tensor in [*model.parameters(), *model.buffers()]:
            ranks.first_(tensor.data)
        optimizer = build_optimizer(model, config)
        if not dist.is_initialized():  # DeepSpeed wants a process group, also of one
            ranks.start_group(store=dist.HashStore(), rank=0, world_size=1)
        os.environ.setdefault("LOCAL_RANK", "0")

        logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
        self.engine = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)[0]
        self.optimizer = self.engine.optimizer
        self._make_states()
        self._sums = torch.zeros(2, device=ranks.device)

    def backward(self, loss: Tensor, weight: Tensor) -> None:
        """Add a micro-batch: ``loss`` (0-dim) is its mean over ``weight`` (0-dim) tokens."""
        total = loss * weight
        if total.requires_grad or weight > 0:  # texts alone have no graph in a phase without lm
            self.engine.backward(total)
        self._sums += torch.stack([total.detach(), weight])

    def step(self, lr: float) -> tuple[Tensor, Tensor]:
        """Update the weights, unless loss or gradient are not finite or the batch had no supervised token.

        Returns: gradient norm before clipping, and 1.0 where the update was called off, both 0-dim.
        """
        self.ranks.sum_(self._sums)
        loss, tokens = self._sums
        # DeepSpeed averages over ranks; a loss that is not finite calls the step off as a gradient does
        scale = self.ranks.world / tokens * torch.where(torch.isfinite(loss), 1.0, torch.nan)
        for param in self.trained.values():
            param.grad = torch.zeros_like(param) if param.grad is None else param.grad
            param.grad.mul_(scale)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        self.engine.step()
        self._sums.zero_()
        bad = torch.tensor(float(self.optimizer.overflow), device=self.ranks.device)
        norm = torch.as_tensor(self.engine.get_global_grad_norm(), device=self.ranks.device).float()
        return norm, bad

    def close(self) -> None:
        """End the training and the process groups; hooks on the weights would else keep these alive for ever."""
        self.engine.destroy()
        deepspeed.comm.destroy_process_group()  # the ranks' too

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Optimizer state gathered from all ranks, which must all call this, on rank 0's CPU; empty on the others.

        Names are the local engine's.
        """
        count = next(iter(self.optimizer.optimizer.state.values()))["step"]
        tensors = {}
        for name, param in self.trained.items():
            for moment in MOMENTS:
                whole = safe_get_full_optimizer_state(param, moment)
                if self.ranks.rank == 0:  # off the GPU, which has no room for all of them
                    tensors[f"{moment}/{name}"] = whole.cpu()
            if self.ranks.rank == 0:
                tensors[f"step/{name}"] = count.clone()
        return tensors

    def load_optimizer_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take over state of the same parameters, after their weights were loaded into the model."""
        self.optimizer.refresh_fp32_params()
        for name, param in self.trained.items():
            for moment in MOMENTS:
                value = tensors[f"{moment}/{name}"].to(self.ranks.device)
                safe_set_full_optimizer_state(param, value, moment)
        for state in self.optimizer.optimizer.state.values():
            state["step"].copy_(tensors[f"step/{name}"])  # it is the same for all

    def _make_states(self) -> None:
        """Give AdamW its state before the first step.

        DeepSpeed links moments to weights once, in the step of the first parameter group, when those of the
        other groups would not exist yet.
        """
        for group in self.optimizer.optimizer.param_groups:
            for part in group["params"]:
                state = {"step": torch.zeros((), dtype=torch.float32, device=part.device)}
                state.update({moment: torch.zeros_like(part) for moment in MOMENTS})
                self.optimizer.optimizer.state[part] = state
        self.optimizer._lazy_init_hp_params_optimizer_state()


def _settings(config: dict, world: int) -> dict:
    """DeepSpeed's own configuration."""
    given = config["deepspeed_conf"]
    return {
        "zero_allow_untested_optimizer": True,
        "managed_gradient_accumulation": False,  # a rank may have fewer micro-batches than another
        "steps_per_print": 1 << 30,  # the trainer speaks
        **given,
        "zero_optimization": {"stage": 1, **given.get("zero_optimization", {})},
        "train_batch_size": world,
        "gradient_clipping": config["grad_clip"] or 0.0,
    }
