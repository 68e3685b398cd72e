"""Put the words of overlapping windows together, so that none is lost or doubled at a seam."""

import bisect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qwen_audio.words import HeardWord

REACH = 1.0  # seconds by which two windows may disagree about when a word was
SPREAD = 0.2  # seconds; two words so far apart count e times less as the same one


@dataclass(frozen=True)
class Heard:
    """What was heard in one window; ``start``, ``end`` and the words' times are seconds of the recording.

    Attributes:
        cut: whether words at its end may be missing.
    """

    start: float
    end: float
    words: list[HeardWord]
    cut: bool = False


def stitch(windows: Iterable[Heard]) -> Iterator[HeardWord]:
    """The words of a recording, from windows each of which overlaps the next.

    At either edge of a window a word may be cut and misheard. So each overlap is told by the earlier window
    up to a word that both heard, and from there by the later one. Of the words that both heard, the longest
    unbroken run counts, and of it the one nearest to the overlap's middle. Where they have none in common, the
    later window takes over in a silence of both: where fewest words are left out, or the longest of such; where
    only one heard anything, it counts. No word begins before the one before it: where the times of two windows
    cross, the later one's are raised.
    """
    begun = 0.0
    for word in _joined(windows):
        begun = max(begun, word.start)
        yield word._replace(start=begun, end=max(begun, word.end))


def _joined(windows: Iterable[Heard]) -> Iterator[HeardWord]:
    """The words in their order, with the times of the windows they are taken from."""
    words, end = [], 0.0
    for window in windows:
        keep, skip = seam(words, window.words, window.start, end)
        yield from words[:keep]
        words, end = window.words[skip:], window.end
    yield from words


def seam(left: list[HeardWord], right: list[HeardWord], begin: float, end: float) -> tuple[int, int]:
    """(words of ``left`` to keep, words of ``right`` to skip), for windows that overlap from begin to end."""
    first = next((place for place, word in enumerate(left) if word.end > begin - REACH), len(left))
    last = next((place for place, word in enumerate(right) if word.start >= end + REACH), len(right))
    runs = _runs(_same(left[first:], right[:last]))
    if runs:
        longest = max(map(len, runs))
        middle = (begin + end) / 2
        shared = [pair for run in runs if len(run) == longest for pair in run]
        i, j = min(shared, key=lambda pair: abs(_middle(right[pair[1]]) - middle))
        return first + i + 1, j + 1
    if not any(word.end > begin for word in left) or not any(word.start < end for word in right):
        return len(left), 0
    at = _between(left, right, begin, end)
    return bisect.bisect_left(left, at, key=_middle), bisect.bisect_left(right, at, key=_middle)


def _same(left: list[HeardWord], right: list[HeardWord]) -> list[tuple[int, int]]:
    """Places of words that are the same, in order: the pairing that agrees best in words and times."""
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    likeness = [[_likeness(a, b) for b in right] for a in left]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            paired = likeness[i][j] + best[i + 1][j + 1]
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _likeness(a: HeardWord, b: HeardWord) -> float:
    apart = abs(_middle(a) - _middle(b))
    return math.exp(-apart / SPREAD) if apart < REACH and _bare(a.text) == _bare(b.text) else 0.0


def _runs(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The pairs cut where a word of either side stands between."""
    runs: list[list[tuple[int, int]]] = []
    for i, j in pairs:
        if runs and runs[-1][-1] == (i - 1, j - 1):
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    return runs


def _between(left: list[HeardWord], right: list[HeardWord], begin: float, end: float) -> float:
    """The middle of a silence of both; without one, an edge of the word in the overlap's middle."""
    silences, at = [], begin
    for start, stop in sorted([*((word.start, word.end) for word in [*left, *right]), (end, end)]):
        length = min(start, end) - at
        if length > 0:
            middle = at + length / 2
            dropped = sum(_middle(word) >= middle for word in left) + sum(
                _middle(word) < middle for word in right
            )
            silences.append((-dropped, length, middle))
        at = max(at, stop)
    if silences:
        return max(silences)[-1]
    middle = (begin + end) / 2
    within = [word.end for word in left if word.start <= middle <= word.end]
    within += [word.start for word in right if word.start <= middle <= word.end]
    return within[0] if within else middle


def _middle(word: HeardWord) -> float:
    return (word.start + word.end) / 2


def _bare(text: str) -> str:
    """The word without marks and capitals; marks alone stay."""
    return "".join(filter(str.isalnum, text.casefold())) or text
