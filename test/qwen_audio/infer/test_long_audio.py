"""A recording of 5 minutes whose words are tones, and a head that hears them from the sound alone."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.infer.long_audio import hear_windows, windows, words_of_recording
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.timestamp.head import TimestampHead

MODEL = SimpleNamespace(search=InferenceConfig(), model=SimpleNamespace(frontend=None))
FRAME = 160  # samples; tones are multiples of 100 Hz, whole periods of which fill a frame
WORDS = {f"w{hertz}": hertz for hertz in range(500, 3500, 100)}


def make_recording(seconds, gaps, vocabulary=30, noise=0.0, seed=0):
    """Sound and its words (text, start_s, end_s): 0.2 to 0.7 s each; ``gaps`` in frames between them."""
    draw = np.random.default_rng(seed)
    names = list(WORDS)[:vocabulary]
    pieces, words, at, last = [], [], 0, None
    while at < seconds * 100:
        gap, length = int(draw.choice(gaps)), int(draw.integers(20, 70))
        name = str(draw.choice([each for each in names if each != last or gap]))
        time = np.arange(length * FRAME) / SAMPLE_RATE
        pieces += [np.zeros(gap * FRAME), 0.3 * np.sin(2 * np.pi * WORDS[name] * time)]
        words.append((name, (at + gap) / 100, (at + gap + length) / 100))
        at, last = at + gap + length, name
    wave = np.concatenate(pieces)
    return (wave + noise * draw.standard_normal(len(wave))).astype(np.float32), words


class TonesHead(TimestampHead):
    """Hears a tone as a word; one that an edge of the clip cuts short, as another word."""

    def __init__(self):
        self.batches, self.longest = [], 0.0

    def words_of(self, loaded, audios, languages):
        assert len(audios) == len(languages) and set(languages) == {"en"}
        self.batches.append(len(audios))
        self.longest = max([self.longest, *(len(audio) / SAMPLE_RATE for audio in audios)])
        return [self.hear(audio) for audio in audios]

    def hear(self, audio):
        frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
        tone = np.abs(np.fft.rfft(frames)).argmax(1) * (np.abs(frames).max(1) > 0.1)
        edges = [0, *(np.flatnonzero(np.diff(tone)) + 1), len(tone)]
        heard = []
        for start, end in zip(edges, edges[1:]):
            if tone[start]:
                whole = start > 0 and end < len(tone)
                heard.append((f"w{tone[start] * 100}" if whole else "uh", start / 100, end / 100, 1.0))
        return heard


def blocks_of(wave, size=1_000_003):
    return (wave[at : at + size] for at in range(0, len(wave), size))


def with_silence(wave):
    """The sound with silence before and after it, so that only seams cut words."""
    return np.concatenate([np.zeros(1600, np.float32), wave, np.zeros(1600, np.float32)])


GAPS = {"clear pauses": [10, 40, 80], "hardly a pause": [0, 2], "no pause at all": [0]}


@pytest.mark.parametrize("gaps", GAPS.values(), ids=GAPS)
@pytest.mark.parametrize("vocabulary", [30, 3])
@pytest.mark.parametrize("seconds", [28.0, 17.3, 10.0])
def test_of_five_minutes_no_word_is_lost_or_doubled_and_all_have_their_times(gaps, vocabulary, seconds):
    wave, words = make_recording(300, gaps, vocabulary)
    head = TonesHead()
    found = list(words_of_recording(MODEL, head, windows(blocks_of(with_silence(wave)), seconds), "en"))
    assert [word[0] for word in found] == [word[0] for word in words]
    times = [(start, end) for _, start, end, _ in found]
    np.testing.assert_allclose(times, [(start + 0.1, end + 0.1) for _, start, end in words], atol=0.011)
    assert head.longest <= seconds


def test_one_window_alone_mishears_the_words_at_its_edges():
    """So the recordings above do cut words at seams."""
    wave, words = make_recording(300, [0])
    head = TonesHead()
    pieces = [window.audio for window in windows(blocks_of(with_silence(wave)))]
    assert sum(word[0] == "uh" for audio in pieces for word in head.hear(audio)) >= 10


def test_windows_end_in_pauses_where_there_are_some():
    wave, _ = make_recording(120, [30], noise=0.001)
    for window in list(windows(blocks_of(wave)))[:-1]:
        assert np.abs(window.audio[-1600:]).max() < 0.01


def test_windows_overlap_by_three_to_five_seconds_and_leave_nothing_out():
    wave, _ = make_recording(100, [0, 20])
    found = list(windows(blocks_of(wave)))
    for window in found:
        part = wave[window.start : window.start + len(window.audio)]
        np.testing.assert_array_equal(window.audio, part)
    shared = [a.start + len(a.audio) - b.start for a, b in zip(found, found[1:])]
    assert all(3 <= samples / SAMPLE_RATE <= 5 for samples in shared)
    assert found[0].start == 0 and found[-1].start + len(found[-1].audio) == len(wave)


def test_a_window_without_room_between_its_overlaps_is_refused():
    with pytest.raises(ValueError, match="a window of 7 s is too short; take 10 or more"):
        next(windows([], 7.0))


@pytest.mark.parametrize("size", [1, 16000, 28 * 16000])
def test_what_is_no_longer_than_a_window_is_heard_at_once(size):
    assert [(window.start, len(window.audio)) for window in windows([np.ones(size, np.float32)])] == [
        (0, size)
    ]


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)]])
def test_an_empty_recording_has_no_words(blocks):
    head = TonesHead()
    assert list(words_of_recording(MODEL, head, windows(blocks), "en")) == [] and head.batches == []


def test_the_size_of_the_blocks_changes_nothing():
    wave, _ = make_recording(90, [0, 20])
    few, many = (
        [(window.start, len(window.audio)) for window in windows(blocks_of(wave, size))]
        for size in (10**7, 997)
    )
    assert few == many


def test_windows_without_a_sound_are_not_heard():
    wave = np.zeros(200 * SAMPLE_RATE, np.float32)
    tone, words = make_recording(5, [10])
    wave[1600 : 1600 + len(tone)] = tone
    head = TonesHead()
    found = list(words_of_recording(MODEL, head, windows(blocks_of(wave)), "en"))
    assert [word[0] for word in found] == [word[0] for word in words]
    assert head.batches == [1]


class SharpHead(TonesHead):
    """Hears what is 50 times as quiet."""

    def hear(self, audio):
        return super().hear(50 * audio)


def test_a_quiet_recording_is_heard():
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    wave = with_silence(0.006 * np.sin(2 * np.pi * 500 * time).astype(np.float32))
    found = list(words_of_recording(MODEL, SharpHead(), windows([wave]), "en"))
    assert [word[0] for word in found] == ["w500"]


class StutteringHead(TonesHead):
    """Repeats the last word at the end of the clip, as an LLM in a loop does."""

    def hear(self, audio):
        end = -(-len(audio) // FRAME) / 100
        return [*super().hear(audio), *[("and", end, end, 0.9)] * 50]


def test_words_repeated_at_the_end_of_a_window_are_dropped():
    wave, words = make_recording(100, [20])
    found = list(words_of_recording(MODEL, StutteringHead(), windows(blocks_of(with_silence(wave))), "en"))
    assert [word[0] for word in found] == [word[0] for word in words]


def model_with(pad_to=None, **batch_conf):
    conf = {"max_examples": 64, "max_seconds": 240.0, **batch_conf}
    frontend = SimpleNamespace(pad_to=pad_to)
    return SimpleNamespace(search=InferenceConfig(batch_conf=conf), model=SimpleNamespace(frontend=frontend))


@pytest.mark.parametrize(
    "model, batches",
    [
        (model_with(), [10]),
        (model_with(max_examples=4), [4, 4, 2]),
        (model_with(max_seconds=9.5), [3, 3, 3, 1]),
        (model_with(pad_to=30 * SAMPLE_RATE), [8, 2]),
    ],
    ids=["by default", "max_examples", "max_seconds", "an encoder that pads to 30 s"],
)
def test_windows_of_several_recordings_are_heard_together_as_batch_conf_allows(model, batches):
    waves = [with_silence(make_recording(2.8, [20], seed=seed)[0])[: 3 * SAMPLE_RATE] for seed in range(10)]
    pieces = ((number, window) for number, wave in enumerate(waves) for window in windows([wave]))
    head = TonesHead()
    heard = list(hear_windows(model, head, pieces, "en"))
    assert head.batches == batches and [number for number, _ in heard] == list(range(10))
    for (_, found), wave in zip(heard, waves):
        alone = list(words_of_recording(MODEL, TonesHead(), windows([wave]), "en"))
        assert found.words == alone != []


def test_words_come_before_the_recording_is_read_to_its_end():
    wave, words = make_recording(20, [20])
    read = []

    def endless():
        while True:
            read.append(len(wave))
            yield wave

    first = next(words_of_recording(MODEL, TonesHead(), windows(endless()), "en"))
    assert first[0] == words[0][0]
    assert sum(read) < (240 + 2 * 28) * SAMPLE_RATE


def peak_of(minutes):
    """Bytes of arrays and words at the highest, for a recording of so many minutes."""
    wave, _ = make_recording(60, [20])
    tracemalloc.start()
    try:
        for _ in words_of_recording(MODEL, TonesHead(), windows((wave for _ in range(minutes))), "en"):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_length():
    assert peak_of(30) < 1.1 * peak_of(12)


def test_a_head_may_answer_plain_tuples():
    wave = make_recording(3, gaps=[20])[0]
    (first, *_) = words_of_recording(MODEL, TonesHead(), windows([wave]), "en")
    assert (first.text in WORDS, first.start, first.confidence) == (True, 0.2, 1.0)
