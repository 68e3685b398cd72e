"""The grammar of a task's answers, made from the form of its target."""

import torch
from torch import Tensor

from qwen_audio.infer.grammar import STEP_SAMPLES, Grammar, median_time, text_mask
from qwen_audio.tags import TIMES
from qwen_audio.task_fields import START, STOP, TEXT, Maybe, Repeat
from qwen_audio.task_spec import WORDS, TaskSpec
from qwen_audio.timestamp.word_times import WordTimes
from qwen_audio.tokenizer import Tokenizer

OVER = 0  # place of an answer that has ended


def grammar_of(spec: TaskSpec, tokenizer: Tokenizer, shared: bool = False) -> Grammar:
    """The grammar of the answers of a task.

    Args:
        shared: of word times, see WordTimes.
    """
    return WordTimes(tokenizer, shared) if spec.target == WORDS else Template(spec.form, tokenizer)


class Template(Grammar):
    """Answers of the form of a task's target, such as ``<|pitch|><|midi_pitch_{pitch}|>…{instrument}``.

    Where the form has text, one or more text tokens stand: a field is never empty (TaskSpec.check). Times lie
    in the clip, its end rounded up to 0.01 s, and none is before the start time last written: what begins
    later stands later, and may overlap.

    A state is (place in the form, last start time, clip's end), times in steps of 0.01 s.

    Args:
        form: TaskSpec.form.
    """

    def __init__(self, form: tuple, tokenizer: Tokenizer):
        size = len(tokenizer)
        self.alias = torch.arange(size)
        self.silent = torch.zeros(size, dtype=torch.bool)
        self._end = tokenizer.end
        self._ids = torch.tensor([tokenizer.token_id(name) for name in TIMES])
        self._time = torch.full((size,), -1)
        self._time[self._ids] = torch.arange(len(TIMES))
        places = _Places(tokenizer, self._ids)
        self._first = places.add(places.before(form, [(torch.tensor([tokenizer.end]), OVER)]))
        self._next = torch.full((len(places.choices), size), -1, dtype=torch.int16)
        for place, choices in enumerate(places.choices):
            for tokens, after in _flat(choices):
                self._next[place, tokens] = after
        self._masks = self._next >= 0
        self._starts = torch.zeros(len(places.choices), dtype=torch.bool)
        self._starts[places.starts] = True
        self._timed = START in places.parts

    def start(self, samples: Tensor) -> Tensor:
        end = (-(-samples // STEP_SAMPLES)).clamp(max=len(TIMES) - 1)
        return torch.stack([torch.full_like(end, self._first), torch.zeros_like(end), end], 1)

    def allowed(self, states: Tensor) -> Tensor:
        mask = self._masks[states[:, 0]]
        if self._timed:
            times = self._time[self._ids]
            mask[:, self._ids] &= (times >= states[:, 1:2]) & (times <= states[:, 2:])
        return mask

    def advance(self, states: Tensor, tokens: Tensor) -> Tensor:
        place, last, end = states.unbind(1)
        after = self._next[place, tokens].long()
        place = torch.where(after >= 0, after, place)  # a hypothesis already given up goes on somehow
        last = torch.where(self._starts[place] & (after >= 0), self._time[tokens], last)
        return torch.stack([place, last, end], 1)

    def mask(self, logprobs: Tensor, states: Tensor) -> Tensor:
        """As in Grammar; of the times, their median may come."""
        logprobs = super().mask(logprobs, states)
        return median_time(logprobs, self._ids) if self._timed else logprobs

    def close(self, tokens: list[int]) -> list[int]:
        """The answer up to the last token after which it might have ended; all of it where there is none."""
        place, whole = self._first, 0
        for count, token in enumerate(tokens, 1):
            place = int(self._next[place, token])
            if self._masks[place, self._end]:
                whole = count
        return tokens[: whole or len(tokens)]


class _Places:
    """The places of a form, and what may come at each.

    Attributes:
        choices: of every place, (tokens, next place) pairs and lists of these, which places share.
        parts: every part of the form that is a name.
        starts: places behind a start time.
    """

    def __init__(self, tokenizer: Tokenizer, times: Tensor):
        self.tokenizer, self.times = tokenizer, times
        self.text = text_mask(tokenizer).nonzero()[:, 0]
        self.choices: list[list] = [[(torch.tensor([tokenizer.end]), OVER)]]
        self.parts: set[str] = set()
        self.starts: list[int] = []

    def add(self, choices: list) -> int:
        self.choices.append(choices)
        return len(self.choices) - 1

    def before(self, form: tuple, after: list) -> list:
        """What may come where ``form`` begins; ``after`` may come when it is over."""
        for part in reversed(form):
            after = self._before_part(part, after)
        return after

    def _before_part(self, part, after: list) -> list:
        if isinstance(part, Maybe):
            return [self.before(part.parts, after), after]
        if isinstance(part, Repeat):
            again = [after]
            begin = self.before(part.parts, again)
            again.append(self.before(part.between, begin))
            return [begin, self._literally(part.nothing, after)]
        place = self.add([after])
        if part == TEXT:
            self.choices[place].append((self.text, place))
            return [(self.text, place)]
        if part in (START, STOP):
            self.parts.add(part)
            self.starts += [place] if part == START else []
            return [(self.times, place)]
        return [(torch.tensor([self.tokenizer.token_id(name) for name in part]), place)]

    def _literally(self, text: str, after: list) -> list:
        if not text:
            return []
        for token in reversed(self.tokenizer.encode(text)):
            after = [(torch.tensor([token]), self.add([after]))]
        return after


def _flat(choices: list):
    for choice in choices:
        if isinstance(choice, list):
            yield from _flat(choice)
        else:
            yield choice
