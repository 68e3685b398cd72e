"""The grammar of word times: a time, a word, a time, and so on; then the end of the text."""

import torch
from torch import Tensor

from qwen_audio.infer.grammar import STEP_SAMPLES, Grammar, median_time, text_mask
from qwen_audio.infer.loops import UNCOUNTED
from qwen_audio.tags import TIME_STEP, TIMES
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.words import SIL

BAR = "|"  # in no word: with it ordinary tokens could spell a time within one, which would be read as such
BEFORE_ANY, WORD_BEGINS, IN_WORD, IN_SILENCE, BETWEEN = range(5)
NEVER = -1  # before every time


class WordTimes(Grammar):
    """One word or more, each between two times that never run backwards nor past the clip's end.

    The clip's end is rounded up to 0.01 s; every word takes 0.01 s at least. For the loop guard all times are
    one token, since a loop over words comes with new times each round; it counts for nothing, so that a word may
    be said as often as in plain text.

    A state is (phase, last time, clip's end), times in steps of 0.01 s.

    Args:
        shared: words share the time between them, from ``<|0.00|>`` on, and silence is a word, as the released
            Qwen-Audio writes: ``<|0.00|><|sil|><|0.54|>hello<|0.86|>you<|1.17|>``. Otherwise each word has a start
            and an end of its own, as the paper says.
    """

    def __init__(self, tokenizer: Tokenizer, shared: bool = False):
        self._shared = shared
        text = text_mask(tokenizer)
        visible = text.clone()
        for token in text.nonzero()[:, 0].tolist():
            written = tokenizer.decode([token])
            text[token] = BAR not in written
            visible[token] = text[token] and bool(written.strip())
        self._ids = torch.tensor([tokenizer.token_id(name) for name in TIMES])
        self._time = torch.full((len(tokenizer),), -1)
        self._time[self._ids] = torch.arange(len(TIMES))
        self._steps = torch.arange(len(TIMES))
        self._masks = torch.zeros(5, len(tokenizer), dtype=torch.bool)
        self._sil = tokenizer.token_id(SIL)
        visible[self._sil] = shared
        self._masks[WORD_BEGINS], self._masks[IN_WORD] = visible, text
        self._after_time = visible & shared  # what may begin where a word has ended
        self._masks[BETWEEN, tokenizer.end] = True
        self.silent = self._time >= 0
        self.silent[self._sil] = True
        self.alias = torch.where(self._time >= 0, UNCOUNTED, torch.arange(len(tokenizer)))

    def start(self, samples: Tensor) -> Tensor:
        end = -(-samples // STEP_SAMPLES)
        return torch.stack(
            [torch.full_like(end, BEFORE_ANY), torch.zeros_like(end), end.clamp(max=len(TIMES) - 1)], 1
        )

    def allowed(self, states: Tensor) -> Tensor:
        phase, last, end = states[:, :1], states[:, 1:2], states[:, 2:]
        within = (phase == IN_WORD) | (phase == IN_SILENCE)
        if self._shared:  # the first time alone stands before a word without ending another
            latest = torch.where(phase == BEFORE_ANY, 0, NEVER)
        else:
            latest = torch.where(phase == WORD_BEGINS, NEVER, end - 1)
        earliest, latest = torch.where(within, last + 1, last), torch.where(within, end, latest)
        times = (self._steps >= earliest) & (self._steps <= latest)
        mask = self._masks[states[:, 0]] | (self._after_time & (phase == BETWEEN) & (last < end))
        return mask.index_copy(1, self._ids, times)

    def advance(self, states: Tensor, tokens: Tensor) -> Tensor:
        phase, last, end = states.unbind(1)
        time = self._time[tokens]
        within = (phase == IN_WORD) | (phase == IN_SILENCE)
        after_time = torch.where(within, BETWEEN, WORD_BEGINS)
        begun = torch.where(tokens == self._sil, IN_SILENCE, IN_WORD)
        phase = torch.where(time >= 0, after_time, begun)
        return torch.stack([phase, torch.where(time >= 0, time, last), end], 1)

    def mask(self, logprobs: Tensor, states: Tensor) -> Tensor:
        """As in Grammar; of the times, their median may come."""
        return median_time(super().mask(logprobs, states), self._ids)

    def close(self, tokens: list[int]) -> list[int]:
        """The answer up to its last whole word."""
        words = self.split(tokens)
        return tokens[: words[-1][1] + 1] if words else []

    def split(self, tokens: list[int]) -> list[tuple[int, int]]:
        """Places of the start and the end time of every whole word."""
        places = [place for place, token in enumerate(tokens) if self._time[token] >= 0]
        return list(zip(places, places[1:]) if self._shared else zip(places[::2], places[1::2]))

    def seconds(self, token: int) -> float:
        """What a time token says."""
        return int(self._time[token]) * TIME_STEP
