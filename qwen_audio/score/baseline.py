"""The trivial system printed beside each score: what is had without listening.

A score says little until it beats the best answer that ignores the audio. Labels and sentences come from the
training sets, never from the set that is scored.
"""

import difflib
import string
from collections import Counter

from qwen_audio.score.normalise import spaced
from qwen_audio.task_spec import TaskSpec
from qwen_audio.words import SIL, parse_words

NAMES = ("empty", "majority", "constant", "even_spacing")


def baseline_name(spec: TaskSpec, metric: str) -> str:
    """The baseline of ``spec`` for ``metric``: an error rate is held against the empty output, which has 1.0.

    Raises:
        ValueError: the task file names none of :data:`NAMES`.
    """
    if spec.baseline not in NAMES:
        near = difflib.get_close_matches(spec.baseline, NAMES, 1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"baseline {spec.baseline!r} of task {spec.name} is unknown{hint}; known: {', '.join(NAMES)}"
        )
    return "empty" if metric in ("wer", "cer") else spec.baseline


def baseline_hypotheses(
    name: str, spec: TaskSpec, train: list[dict], hyps: dict[str, str], seconds: dict[str, float]
) -> dict[str, str] | None:
    """What the baseline ``name`` writes for each utterance of ``hyps``.

    Args:
        train: training examples of this task in the language of the set.
        hyps: what the model wrote; ``even_spacing`` takes its words.
        seconds: length of each clip; only ``even_spacing`` reads it.

    Returns:
        Utterance -> text; None where the baseline needs training examples and there are none.
    """
    if name == "even_spacing":
        return {utt: even_spacing(text, seconds[utt]) for utt, text in hyps.items()}
    if name == "empty":
        return dict.fromkeys(hyps, "")
    if not train:
        return None
    return dict.fromkeys(hyps, majority(spec, train) if name == "majority" else constant(spec, train))


def majority(spec: TaskSpec, train: list[dict]) -> str:
    """The target made of each field's most frequent training value, each field on its own."""
    names = [name for _, name, _, _ in string.Formatter().parse(spec.target) if name]
    return spec.target.format(**{name: _most_frequent(row[name] for row in train) for name in names})


def constant(spec: TaskSpec, train: list[dict]) -> str:
    """The most frequent training target."""
    return _most_frequent(spec.target_text(row) for row in train)


def even_spacing(text: str, seconds: float) -> str:
    """The words of ``text`` with new times: each gets the same share of the clip.

    It shows what the model's times are worth once its words are known. Silences are left out.
    """
    found = parse_words(text)
    words = spaced(text).split() if found is None else [word for _, _, word in found if word != SIL]
    step = seconds / max(len(words), 1)
    return "".join(f"<|{i * step:.2f}|>{word}<|{(i + 1) * step:.2f}|>" for i, word in enumerate(words))


def _most_frequent(values):
    """The first seen wins a tie."""
    return Counter(values).most_common(1)[0][0]
