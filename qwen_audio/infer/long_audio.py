"""Words of recordings of any length: windows that overlap, each heard by a timestamp head, then stitched."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from qwen_audio.audio import HOP, SAMPLE_RATE
from qwen_audio.data.packing import padded_batches
from qwen_audio.infer.clips import encoded_samples
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.stitch import Heard, stitch
from qwen_audio.timestamp.head import Hearing, TimestampHead
from qwen_audio.words import HeardWord

WINDOW_SECONDS = 28.0  # what a model hears at once; encoder positions and time tokens end at 30 s
SHORTEST_WINDOW = 10.0
OVERLAP_SECONDS = 4.0  # heard by two windows: some words that both hear whole
SLACK_SECONDS = 1.0  # an edge moves by so much to either side, to a quiet place
QUIET_HOPS = 20  # a quiet place is 0.2 s long: longer than the closure of a stop within a word
SILENT = 1e-3  # a window whose samples all lie below it (-60 dB) holds no words


@dataclass(frozen=True)
class Window:
    """``audio`` (N,) from sample ``start`` of the recording on."""

    start: int
    audio: np.ndarray


def recording_head(loaded: LoadedModel, name: str | None = None) -> TimestampHead:
    """A timestamp head for windows of recordings; ``name`` and errors as of LoadedModel.timestamp_head.

    The model's ``search`` may be meant for shorter clips than a window: an answer may have its task's own
    max_new_tokens at least.
    """
    head = loaded.timestamp_head(name)
    if isinstance(head, Hearing):
        head.search = loaded.search.with_room(head.spec(loaded.tasks))
    return head


def unfinished_note(count: int) -> str:
    """What to tell of so many answers that did not end (TimestampHead.unfinished)."""
    return f"{count} window(s) not written to the end, cut by max_new_tokens or a loop: words may be missing"


def words_of_recording(
    loaded: LoadedModel, head: TimestampHead, pieces: Iterable[Window], language: str
) -> Iterator[HeardWord]:
    """Words spoken in a recording, in order, times in seconds from its beginning.

    Args:
        pieces: its ``windows``, of which no more is held at a time than a batch and the one before it.
        language: code of the language spoken.
    """
    heard = hear_windows(loaded, head, ((None, window) for window in pieces), language)
    return stitch(each for _, each in heard)


def hear_windows[Recording](
    loaded: LoadedModel, head: TimestampHead, pieces: Iterable[tuple[Recording, Window]], language: str
) -> Iterator[tuple[Recording, Heard]]:
    """What is heard in each window of one recording or of many, in their order.

    Windows, whichever recording they are of, are heard together as far as ``batch_conf`` of the model's ``search``
    allows. Of words that begin where their window ends, which only a model that repeats itself writes, none is
    kept.
    """
    most = loaded.search.batch_conf
    for batch in padded_batches(
        pieces,
        lambda piece: encoded_samples(loaded.model, len(piece[1].audio)),
        most["max_seconds"] * SAMPLE_RATE,
        most["max_examples"],
    ):
        found, cut = {}, set()
        if loud := [place for place, (_, window) in enumerate(batch) if _is_loud(window.audio)]:
            audios = [batch[place][1].audio for place in loud]
            found = dict(zip(loud, head.words_of(loaded, audios, [language] * len(loud)), strict=True))
            cut = {loud[number] for number in head.cut}
        for place, (recording, window) in enumerate(batch):
            begin, length = window.start / SAMPLE_RATE, len(window.audio) / SAMPLE_RATE
            moved = [
                HeardWord(text, begin + start, begin + end, chance)
                for text, start, end, chance in found.get(place, [])
                if start < length
            ]
            yield recording, Heard(begin, begin + length, moved, place in cut)


def windows(blocks: Iterable[np.ndarray], seconds: float = WINDOW_SECONDS) -> Iterator[Window]:
    """Cut a recording into windows of at most ``seconds``, their edges at the quietest places near by.

    What is no longer than a window is one, also an empty recording.

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
    yield Window(start, buffer)


def _quietest(wave: np.ndarray, low: int, high: int) -> int:
    """The middle of the quietest 0.2 s from ``low`` to ``high``."""
    hops = wave[low : low + (high - low) // HOP * HOP].reshape(-1, HOP)
    power = np.convolve((hops**2).mean(1), np.ones(QUIET_HOPS), "valid")
    return low + (int(power.argmin()) + QUIET_HOPS // 2) * HOP


def _is_loud(wave: np.ndarray) -> bool:
    return bool((np.abs(wave) >= SILENT).any())
