"""95 % confidence interval of a corpus score by drawing utterances again with replacement."""

import numpy as np

RESAMPLES = 1000
SEED = 0
_BLOCK = 2_000_000  # drawn indices held at once


def ci95(numerators, denominators, scale: float = 1.0) -> list[float] | None:
    """Percentile bootstrap (Efron 1979) of ``scale * sum(numerators) / sum(denominators)``.

    Utterances are drawn, not words, so errors that come together in one utterance widen the interval.
    It knows only what the sample shows: where every utterance is right it is a point, however few they are.

    Args:
        numerators, denominators: one number per utterance, e.g. errors and reference words.

    Returns:
        ``[low, high]``; None for fewer than two utterances or where the denominator is 0.
    """
    pairs = np.stack([np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)])
    count = pairs.shape[1]
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
