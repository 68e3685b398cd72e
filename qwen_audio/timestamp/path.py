"""From attention to times: a matrix of tokens and frames, the best path through it, words out of tokens."""

import numpy as np

MEDIAN = 7  # frames of the median filter, as in openai/whisper


def sharpen(weights: np.ndarray) -> np.ndarray:
    """Attention weights, each head and frame compared between tokens, spikes taken out.

    A head that always looks at one place says nothing of where a token is; so every frame is normalised over
    the tokens.

    Shapes: weights (heads, tokens, frames) -> the same.
    """
    from scipy.ndimage import median_filter

    spread = weights.std(1, keepdims=True)
    normal = (weights - weights.mean(1, keepdims=True)) / np.maximum(spread, 1e-9)  # 0 where none looks
    return median_filter(normal, (1, 1, MEDIAN), mode="reflect")


def best_path(score: np.ndarray) -> np.ndarray:
    """Frame at which each token begins on the monotonic path of the greatest sum (dynamic time warping).

    The path leads from the first token and frame to the last, one step on in either or both.

    Shapes: score (tokens, frames) -> (tokens,) frame numbers, rising, the first 0.
    """
    rows, columns = score.shape
    total = np.full((rows + 1, columns + 1), -np.inf)
    total[0, 0] = 0.0
    # where the path came from: 0 both before, 1 the token before, 2 the frame before
    came = np.zeros((rows + 1, columns + 1), dtype=np.int8)
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.stack([total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]])
        came[i, j] = before.argmax(0)
        total[i, j] = before.max(0) + score[i - 1, j - 1]
    first = np.zeros(rows, dtype=int)
    i, j = rows, columns
    while i:
        first[i - 1] = j - 1
        step = came[i, j]
        i, j = i - (step != 2), j - (step != 1)
    return first


def word_spans(tokens: list[bytes], words: list[str]) -> list[list[tuple[int, float, float]]]:
    """Which tokens, and what part of each, write a word.

    A token may hold characters of several words, and a character may take several tokens. A token of
    white space belongs to the word behind it, white space within a token to none.

    Args:
        tokens: what each adds to the text, in UTF-8.
        words: the words of the text, in their order.

    Returns:
        for each word its (token number, begin, end), begin and end from 0 to 1 within the token.
    """
    text = b"".join(tokens)
    ends = np.cumsum([len(token) for token in tokens])
    spans, at = [], 0
    for word in words:
        written, before = word.encode("utf-8", "surrogateescape"), at
        begin = text.index(written, before)
        at = begin + len(written)
        parts = []
        for number, (end, token) in enumerate(zip(ends.tolist(), tokens)):
            first = end - len(token.lstrip())
            low, high = max(begin, first), min(at, end)
            if low < high:
                parts.append((number, (low - first) / (end - first), (high - first) / (end - first)))
            elif token.isspace() and before <= end - len(token) and end <= begin:
                parts.append((number, 0.0, 1.0))
        spans.append(parts)
    return spans
