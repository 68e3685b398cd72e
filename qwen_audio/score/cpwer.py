"""Concatenated minimum-permutation word error rate: who of the speakers comes first is free.

The errors of an assignment are sums over pairs of a reference's and a hypothesis's speaker, so that scipy's solver
for linear assignments finds the best one; rapidfuzz counts the edits of a pair.
"""

import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy.optimize import linear_sum_assignment

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.score.normalise import normaliser, units
from qwen_audio.tags import UNSPACED
from qwen_audio.task_fields import DELIM


def cpwer(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Edits / reference words, the hypothesis's texts given to the speakers the best way (Watanabe 2020).

    Texts stand between ``<|delim|>`` and are normalised one by one, as in wer(); by character where ``lang``
    is written without spaces. A speaker too many adds its words as errors, one too few lacks them. Of several
    references the one with the lowest rate counts.

    Returns:
        ``score`` (None where no reference has a word), ``unit``, ``errors``, ``words``, ``substitutions``,
        ``deletions``, ``insertions``, ``missed_speakers``, ``false_speakers``, ``malformed`` (hypotheses
        with an empty text), ``ci95``.
    """
    unit = "character" if lang in UNSPACED else "word"
    clean = normaliser(protocol, lang)
    found, malformed = [], 0
    for utt, texts in refs.items():
        written = hyps[utt].split(DELIM)
        malformed += not all(map(str.strip, written))
        hyp = [units(clean(text), unit) for text in written]
        options = [[units(clean(text), unit) for text in ref.split(DELIM)] for ref in texts]
        tried = [_score(ref, hyp) for ref in options]
        found.append(min(tried, key=lambda clip: clip["errors"] / max(clip["length"], 1)))
    totals = {key: sum(clip[key] for clip in found) for key in found[0]}
    return {
        "score": totals["errors"] / totals["length"] if totals["length"] else None,
        "unit": unit,
        "errors": totals["errors"],
        "words": totals["length"],
        **{kind: totals[kind] for kind in ("substitutions", "deletions", "insertions")},
        "missed_speakers": totals["missed"],
        "false_speakers": totals["false"],
        "malformed": malformed,
        "ci95": ci95(
            [clip["errors"] for clip in found], [clip["length"] for clip in found], utterances(refs)
        ),
    }


def _score(ref: list[list[str]], hyp: list[list[str]]) -> dict[str, int]:
    """Counts of the best assignment of the hypothesis's speakers, each a list of units, to the reference's."""
    size = max(len(ref), len(hyp))
    theirs, ours = (side + [[]] * (size - len(side)) for side in (ref, hyp))
    edits = np.array([[Levenshtein.distance(one, other) for other in ours] for one in theirs])
    pairs = [(theirs[i], ours[j]) for i, j in zip(*linear_sum_assignment(edits), strict=True)]
    kinds = [edit.tag for one, other in pairs for edit in Levenshtein.editops(one, other)]
    return {
        "errors": len(kinds),
        "length": sum(map(len, ref)),
        "substitutions": kinds.count("replace"),
        "deletions": kinds.count("delete"),
        "insertions": kinds.count("insert"),
        "missed": size - len(hyp),
        "false": size - len(ref),
    }
