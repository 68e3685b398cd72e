"""Timestamp head: the decoder writes the times itself, as tokens around each word (arXiv:2311.07919)."""

import functools
import math

from qwen_audio.infer.clips import Clips
from qwen_audio.infer.search import Hypothesis
from qwen_audio.task_spec import WORDS, TaskSpec, load_tasks
from qwen_audio.timestamp.head import Hearing
from qwen_audio.timestamp.word_times import WordTimes
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.words import SIL, HeardWord


class Tokens(Hearing):
    """The paper's way: ``<|0.12|>hello<|0.48|>``, decoded under a grammar that admits nothing malformed.

    A word's confidence is the mean probability of its tokens, the times left out.

    Args:
        task: the task whose prompt asks for word times; by default the first whose target is ``words``.
        shared: times are written as the released Qwen-Audio does (qwen_audio/timestamp/word_times.py); an import
            of it says so. What is trained on word times here writes the paper's way.
    """

    def __init__(self, task: str | None = None, shared: bool = False):
        super().__init__(task)
        self.shared = shared

    def words_in(self, clips: Clips, languages: list[str]) -> list[list[HeardWord]]:
        """See Hearing."""
        tokenizer = clips.loaded.tokenizer
        grammar = _grammar(tokenizer, self.shared)
        answers = self.write(clips, list(range(len(languages))), languages, grammar)
        return [_words(answer, grammar, tokenizer) for answer in answers]

    def spec(self, trained: list[str]) -> TaskSpec:
        """See Hearing."""
        timed = {name: spec for name, spec in load_tasks().items() if spec.target == WORDS}
        for name in [self.task] if self.task else timed:
            if name in timed and name in trained:
                return timed[name]
        raise ValueError(
            f"timestamp_head tokens needs a model trained on {self.task or ' or '.join(timed)};"
            f" this one knows {', '.join(trained)}. The head attention needs no training:"
            " --timestamp_head attention, or timestamp_head: attention in the model's config.yaml"
        )


def _words(answer: Hypothesis, grammar: WordTimes, tokenizer: Tokenizer) -> list[HeardWord]:
    found = []
    for start, end in grammar.split(answer.tokens):
        text = tokenizer.decode(answer.tokens[start + 1 : end]).strip()
        if text == SIL:
            continue
        chances = [math.exp(value) for value in answer.logprobs[start + 1 : end]]
        times = (grammar.seconds(answer.tokens[place]) for place in (start, end))
        found.append(HeardWord(text, *times, sum(chances) / len(chances)))
    return found


@functools.lru_cache(maxsize=4)
def _grammar(tokenizer: Tokenizer, shared: bool) -> WordTimes:
    return WordTimes(tokenizer, shared)
