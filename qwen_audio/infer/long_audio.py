"""Words of a recording of any length: windows that overlap, each heard by a timestamp head, then stitched."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from qwen_audio.audio import HOP, SAMPLE_RATE
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.stitch import Heard, stitch
from qwen_audio.progress import progress
from qwen_audio.timestamp.head import Hearing, TimestampHead
from qwen_audio.words import HeardWord

WINDOW_SECONDS = 28.0  # what a model hears at once; encoder positions and time tokens end at 30 s
SHORTEST_WINDOW = 10.0
OVERLAP_SECONDS = 4.0  # heard by two windows: some words that both hear whole
SLACK_SECONDS = 1.0  # an edge moves by so much to either side, to a quiet place
QUIET_HOPS = 20  # a quiet place is 0.2 s long: longer than the closure of a stop within a word
BATCH = 8  # windows heard together
SILENT = 1e-3  # a window whose samples all lie below it (-60 dB) holds no words


@dataclass(frozen=True)
class Window:
    """``audio`` (N,) from sample ``start`` of the recording on."""

    start: int
    audio: np.ndarray


def recording_head(
    loaded: LoadedModel, name: str | None = None, search: InferenceConfig | None = None
) -> TimestampHead:
    """A timestamp head for ``words_of_recording``; arguments and errors as of LoadedModel.timestamp_head.

    The configuration may be meant for shorter clips than a window: an answer may have its task's own
    max_new_tokens at least.
    """
    head = loaded.timestamp_head(name, search)
    if isinstance(head, Hearing):
        head.search = (search or loaded.search).with_room(head.spec(loaded.tasks))
    return head


def unfinished_note(count: int) -> str:
    """What to tell of so many answers that did not end (TimestampHead.unfinished)."""
    return f"{count} window(s) not written to the end, cut by max_new_tokens or a loop: words may be missing"


def words_of_recording(
    loaded: LoadedModel,
    head: TimestampHead,
    pieces: Iterable[Window],
    language: str,
    label: str | None = None,
) -> Iterator[HeardWord]:
    """Words spoken in a recording, in order, times in seconds from its beginning.

    Args:
        pieces: its ``windows``, of which no more is held at a time than a batch.
        language: code of the language spoken.
        label: what progress is said of; None says nothing.
    """
    heard = _heard(loaded, head, pieces, language)
    return stitch(heard if label is None else progress(heard, None, label))


def windows(blocks: Iterable[np.ndarray], seconds: float = WINDOW_SECONDS) -> Iterator[Window]:
    """Cut a recording into windows of at most ``seconds``, their edges at the quietest places near by.

    What is no longer than a window is one.

    Args:
        blocks: the recording in pieces, (N_i,) float32 in ±1 at 16 kHz (read_blocks); no more of it is held
            than a window and a piece.

    Raises:
        ValueError: if a window has no room between its overlaps.
    """
    if seconds < SHORTEST_WINDOW:
        raise ValueError(f"a window of {seconds:g} s is too short; take {SHORTEST_WINDOW:g} or more")
    size, overlap, slack = (round(each * SAMPLE_RATE) for each in (seconds, OVERLAP_SECONDS, SLACK_SECONDS))
    buffer, start, blocks = np.zeros(0, np.float32), 0, iter(blocks)
    while True:
        while len(buffer) <= size and (block := next(blocks, None)) is not None:
            buffer = np.concatenate([buffer, block])
        if len(buffer) <= size:
            break
        end = _quietest(buffer, size - 2 * slack, size)
        yield Window(start, buffer[:end].copy())
        step = _quietest(buffer, end - overlap - slack, end - overlap + slack)
        start, buffer = start + step, buffer[step:]
    if len(buffer):
        yield Window(start, buffer)


def _quietest(wave: np.ndarray, low: int, high: int) -> int:
    """The middle of the quietest 0.2 s from ``low`` to ``high``."""
    hops = wave[low : low + (high - low) // HOP * HOP].reshape(-1, HOP)
    power = np.convolve((hops**2).mean(1), np.ones(QUIET_HOPS), "valid")
    return low + (int(power.argmin()) + QUIET_HOPS // 2) * HOP


def _heard(
    loaded: LoadedModel, head: TimestampHead, pieces: Iterable[Window], language: str
) -> Iterator[Heard]:
    """Of words that begin where their window ends, which only a model that repeats itself writes, none is kept."""
    for batch in itertools.batched(pieces, BATCH):
        loud = [window.audio for window in batch if np.abs(window.audio).max() >= SILENT]
        found = iter(head.words_of(loaded, loud, [language] * len(loud)) if loud else [])
        for window in batch:
            words = next(found) if np.abs(window.audio).max() >= SILENT else []
            begin, length = window.start / SAMPLE_RATE, len(window.audio) / SAMPLE_RATE
            moved = [
                HeardWord(text, begin + start, begin + end, chance)
                for text, start, end, chance in words
                if start < length
            ]
            yield Heard(begin, begin + length, moved)
