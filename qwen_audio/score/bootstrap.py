"""95 % confidence interval of a corpus score by drawing utterances again with replacement."""

from collections.abc import Hashable, Iterable

import numpy as np

RESAMPLES = 1000
SEED = 0
_BLOCK = 2_000_000  # drawn indices held at once


def ci95(numerators, denominators, drawn: Iterable[Hashable], scale: float = 1.0) -> list[float] | None:
    """Percentile bootstrap (Efron 1979) of ``scale * sum(numerators) / sum(denominators)``.

    Utterances are drawn, not words nor questions, so errors that come together in one utterance widen the interval.
    It knows only what the sample shows: where every utterance is right it is a point, however few they are.

    Args:
        numerators, denominators: one number per request, e.g. errors and reference words.
        drawn: the utterance of each; those of the same are drawn together.

    Returns:
        ``[low, high]``; None for fewer than two utterances or where the denominator is 0.
    """
    places: dict[Hashable, int] = {}
    place = [places.setdefault(utt, len(places)) for utt in drawn]
    if not place:
        return None
    pairs = np.stack([np.bincount(place, np.asarray(v, dtype=float)) for v in (numerators, denominators)])
    count = len(places)
    if count < 2 or not pairs[1].any():
        return None
    draw = np.random.default_rng(SEED)
    rows = max(1, min(RESAMPLES, _BLOCK // count))
    sums = []
    for first in range(0, RESAMPLES, rows):
        index = draw.integers(count, size=(min(rows, RESAMPLES - first), count), dtype=np.int32)
        sums.append(np.stack([values[index].sum(axis=1) for values in pairs]))
    top, bottom = np.concatenate(sums, axis=1)
    ratios = top[bottom > 0] / bottom[bottom > 0]
    return [float(scale * edge) for edge in np.percentile(ratios, [2.5, 97.5])]


def utterances(requests: Iterable[str]) -> list[str]:
    """The utterance of each request: what stands before its first blank, see join.request_key."""
    return [request.partition(" ")[0] for request in requests]
