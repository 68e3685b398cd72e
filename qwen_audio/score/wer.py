"""Word and character error rate: the sum of edits over the sum of reference words, never a mean of rates."""

import functools
from collections import Counter

from rapidfuzz.distance import Levenshtein

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.score.normalise import normaliser, units
from qwen_audio.tags import UNSPACED

_NAMES = {"replace": "substitutions", "delete": "deletions", "insert": "insertions"}


def wer(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Word error rate as a fraction; by character where ``lang`` is written without spaces.

    An utterance whose reference has no word adds its hypothesis words as errors and 0 words, and is counted
    in ``empty_references``; where no reference has a word the score is None. Of several references the one
    with the lowest rate counts, the first on a tie.

    Returns:
        ``score, unit, errors, words, substitutions, deletions, insertions, empty_references, ci95``;
        ``words`` are reference words, or characters where ``unit`` says so.
    """
    return _rate(refs, hyps, protocol, lang, "character" if lang in UNSPACED else "word")


def cer(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Character error rate: as :func:`wer`, white space deleted and each character a unit."""
    return _rate(refs, hyps, protocol, lang, "character")


def _rate(refs, hyps, protocol, lang, unit) -> dict:
    clean = functools.cache(normaliser(protocol, lang))
    kinds, errors, words = Counter(), [], []
    for utt, texts in refs.items():
        hyp = units(clean(hyps[utt]), unit)
        options = [units(clean(text), unit) for text in texts]
        ref = min(options, key=lambda option: _share(option, hyp)) if len(options) > 1 else options[0]
        edits = Levenshtein.editops(ref, hyp)
        kinds.update(edit.tag for edit in edits)
        errors.append(len(edits))
        words.append(len(ref))
    total = sum(words)
    return {
        "score": sum(errors) / total if total else None,
        "unit": unit,
        "errors": sum(errors),
        "words": total,
        **{name: kinds[kind] for kind, name in _NAMES.items()},
        "empty_references": words.count(0),
        "ci95": ci95(errors, words, utterances(refs)),
    }


def _share(ref: list[str], hyp: list[str]) -> float:
    return Levenshtein.distance(ref, hyp) / max(len(ref), 1)
