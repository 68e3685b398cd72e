"""The trivial system printed beside each score: what is had without listening.

A score says little until it beats the best answer that ignores the audio. Labels and sentences come from the
training sets, never from the set that is scored.
"""

from qwen_audio.score.normalise import spaced
from qwen_audio.score.registry import CONSTANT, MAJORITY
from qwen_audio.score.train_labels import Common, segments_field
from qwen_audio.task_fields import NONE
from qwen_audio.task_spec import TaskSpec
from qwen_audio.words import SIL, parse_words


def baseline_name(spec: TaskSpec, metric: str) -> str:
    """The baseline of ``spec`` for ``metric``: an error rate is held against the empty output, which has 1.0."""
    return "empty" if metric in ("wer", "cer", "cpwer") else spec.baseline


def baseline_hypotheses(
    name: str, spec: TaskSpec, common: Common | None, hyps: dict[str, str], seconds: dict[str, float]
) -> dict[str, str] | None:
    """What the baseline ``name`` writes for each utterance of ``hyps``.

    Args:
        common: what training examples of this task in the language of the set have most often, if there are any.
        hyps: what the model wrote; ``even_spacing`` takes its words.
        seconds: length of each clip; read where :func:`needs_seconds` says so.

    Returns:
        Utterance -> text; None where the baseline needs training examples and there are none.
    """
    if name == "even_spacing":
        return {utt: even_spacing(text, seconds[utt]) for utt, text in hyps.items()}
    if name == "empty":
        return dict.fromkeys(hyps, "")
    if common is None:
        return None
    if name == CONSTANT:
        return dict.fromkeys(hyps, common.constant())
    if segments_field(spec):
        label = common.label()
        return {utt: f"<|0.00|>{label}<|{seconds[utt]:.2f}|>" if label else NONE for utt in hyps}
    return dict.fromkeys(hyps, common.majority())


def needs_seconds(name: str, spec: TaskSpec) -> bool:
    """Whether the baseline ``name`` of ``spec`` writes times."""
    return name == "even_spacing" or name == MAJORITY and bool(segments_field(spec))


def even_spacing(text: str, seconds: float) -> str:
    """The words of ``text`` with new times: each gets the same share of the clip.

    It shows what the model's times are worth once its words are known. Silences are left out.
    """
    found = parse_words(text)
    words = spaced(text).split() if found is None else [word for _, _, word in found if word != SIL]
    step = seconds / max(len(words), 1)
    return "".join(f"<|{i * step:.2f}|>{word}<|{(i + 1) * step:.2f}|>" for i, word in enumerate(words))
