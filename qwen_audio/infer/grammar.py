"""Which tokens may come next in an answer: masks that the search applies step by step."""

import torch
from torch import Tensor

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.tags import TIME_STEP
from qwen_audio.tokenizer import Tokenizer

NONE = float("-inf")
STEP_SAMPLES = round(TIME_STEP * SAMPLE_RATE)


class Grammar:
    """Base: the state of each hypothesis is a row of whole numbers, so that the search can reorder them.

    Attributes:
        alias: (V,) what tokens are when loops are looked for: each its own, or one for many, or loops.UNCOUNTED.
        silent: (V,) bool, tokens that stand for nothing spoken, so that CTC cannot judge them.
    """

    alias: Tensor
    silent: Tensor

    def to(self, device: str) -> "Grammar":
        """Move its tables to ``device``; returns itself."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def start(self, samples: Tensor) -> Tensor:
        """States before the first token; samples (R,) are clip lengths at 16 kHz -> (R, S)."""
        raise NotImplementedError

    def allowed(self, states: Tensor) -> Tensor:
        """Shapes: states (N, S) -> (N, V) bool."""
        raise NotImplementedError

    def advance(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Shapes: states (N, S), tokens (N,) -> (N, S)."""
        raise NotImplementedError

    def mask(self, logprobs: Tensor, states: Tensor) -> Tensor:
        """Log probabilities with -inf for what may not come; logprobs (N, V), states (N, S) -> (N, V)."""
        return logprobs.masked_fill(~self.allowed(states), NONE)

    def close(self, tokens: list[int]) -> list[int]:
        """What to keep of an answer that was cut short."""
        return tokens


def text_mask(tokenizer: Tokenizer) -> Tensor:
    """(V,) True for tokens of plain text: all but the special ones."""
    mask = torch.ones(len(tokenizer), dtype=torch.bool)
    mask[tokenizer.special_ids()] = False
    return mask


def median_time(logprobs: Tensor, times: Tensor) -> Tensor:
    """Give the probability of all times to their median; the others may not come.

    A decoder sure of a boundary spreads its probability over neighbouring times: each alone may lose against
    a token of text, and the likeliest may stand far from most of them. The median has the least expected
    shift, which AAS adds up.

    Args:
        logprobs: (N, V), -inf for what may not come.
        times: (T,) the time tokens, in their order.
    """
    every = logprobs[:, times]
    total = every.logsumexp(1, keepdim=True)
    below = (every - total).exp().cumsum(1) < 0.5
    median = below.sum(1, keepdim=True).clamp(max=len(times) - 1)
    return logprobs.index_copy(1, times, torch.full_like(every, NONE).scatter(1, median, total))
