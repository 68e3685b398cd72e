"""Grammar of a free answer: text, and no tags but times."""

import torch
from torch import Tensor

from qwen_audio.infer.grammar import Grammar, text_mask
from qwen_audio.tags import TIMES
from qwen_audio.tokenizer import Tokenizer


class FreeText(Grammar):
    """One or more tokens of text, then ``<|im_end|>``; times too where the model was tuned on answers that hold them.

    The end-of-text token ends an answer too, as models write it that were never tuned for chat: its probability is
    counted to that of ``<|im_end|>``.

    A state is (whether something was written,).

    Args:
        end: id of ``<|im_end|>``, the ``end`` of the search.
    """

    def __init__(self, tokenizer: Tokenizer, end: int):
        self.alias = torch.arange(len(tokenizer))
        self.silent = torch.zeros(len(tokenizer), dtype=torch.bool)
        self._end, self._end_of_text = end, tokenizer.end
        self._text = text_mask(tokenizer)
        if tokenizer.answer_times:
            self._text[[tokenizer.token_id(name) for name in TIMES]] = True

    def start(self, samples: Tensor) -> Tensor:
        return torch.zeros_like(samples)[:, None]

    def allowed(self, states: Tensor) -> Tensor:
        mask = self._text.repeat(len(states), 1)
        mask[:, self._end] = states[:, 0] > 0
        return mask

    def advance(self, states: Tensor, tokens: Tensor) -> Tensor:
        return torch.ones_like(states)

    def mask(self, logprobs: Tensor, states: Tensor) -> Tensor:
        """As in Grammar; logprobs (N, V), states (N, S) -> (N, V)."""
        ends = logprobs[:, [self._end, self._end_of_text]].logsumexp(1, keepdim=True)
        index = torch.tensor([self._end], device=logprobs.device)
        return super().mask(logprobs.index_copy(1, index, ends), states)
