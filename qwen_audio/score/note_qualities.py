"""NSynth's sonic qualities: macro average precision by scikit-learn, of ``<|sonic|>bright, percussive``."""

import re
import warnings

import numpy as np

from qwen_audio.score.note import parse_note

QUALITIES = ("bright", "dark", "distortion", "fast_decay", "long_release", "multiphonic", "nonlinear_env",
             "percussive", "reverb", "tempo-synced")  # fmt: skip
_SONIC = re.compile(r"<\|sonic\|>([^<]*)")


def note_qualities(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Mean over the qualities of NSynth (Engel 2017) of the average precision of written or not.

    As in the released scripts, the mean is of the qualities that a reference or a hypothesis has; one that only
    hypotheses have scores 0. How many of those there are stands beside it, and the mean of the others.
    ``fast decay`` reads as ``fast_decay``. Of several references of a note the first counts. A note without
    ``<|sonic|>`` has none of the qualities; a malformed hypothesis is one without any field of a note.

    Returns:
        ``score`` (None where no reference has a quality), ``without_positive`` (qualities of hypotheses alone),
        ``with_positive_mean``, ``classes`` (average precision by quality, of those in the mean), ``unknown``
        (words written that are no quality), ``malformed``.

    Raises:
        ValueError: naming the utterance whose reference has a quality that NSynth has not.
    """
    from sklearn.metrics import average_precision_score

    known = {_key(name): name for name in QUALITIES}
    wanted = {utt: _written(texts[0]) for utt, texts in refs.items()}
    for utt, keys in wanted.items():
        if strange := sorted(keys - known.keys()):
            raise ValueError(
                f"reference of {utt} has the quality {strange[0]!r}; NSynth has {', '.join(QUALITIES)}"
            )
    answers = {utt: _written(hyps[utt]) for utt in refs}
    truth, written = (
        np.array([[key in side[utt] for key in known] for utt in refs]) for side in (wanted, answers)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of qualities without a positive, which are counted here
        each = average_precision_score(truth, written.astype(float), average=None)
    positive = truth.any(axis=0)
    met = positive | written.any(axis=0)
    return {
        "score": float(each[met].mean()) if positive.any() else None,
        "without_positive": int((met & ~positive).sum()),
        "with_positive_mean": float(each[positive].mean()) if positive.any() else None,
        "classes": {name: float(each[place]) for place, name in enumerate(known.values()) if met[place]},
        "unknown": sum(len(keys - known.keys()) for keys in answers.values()),
        "malformed": sum(not answers[utt] and not parse_note(hyps[utt]) for utt in refs),
    }


def _written(text: str) -> set[str]:
    match = _SONIC.search(text)
    return {_key(item) for item in match.group(1).split(",") if item.strip()} if match else set()


def _key(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.strip().lower()))
