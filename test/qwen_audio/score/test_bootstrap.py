import tracemalloc

import numpy as np
import pytest
from scipy import stats

from qwen_audio.score import compute
from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.score.join import request_key
from qwen_audio.task_spec import load_tasks


def test_interval_of_a_rate_is_that_of_scipy():
    draw = np.random.default_rng(1)
    words = draw.integers(3, 20, 100)
    errors = draw.binomial(words, 0.3)
    found = ci95(errors, words, range(100))
    other = stats.bootstrap(
        (errors, words), lambda e, w, axis: e.sum(axis) / w.sum(axis), paired=True, method="percentile", rng=2
    ).confidence_interval
    assert found == pytest.approx([other.low, other.high], abs=0.005)


def test_half_right_of_four_hundred_is_about_five_points_wide_on_each_side():
    low, high = ci95([1, 0] * 200, [1] * 400, range(400))  # 1.96 * sqrt(0.25 / 400) = 0.049
    assert (low, high) == (pytest.approx(0.451, abs=0.01), pytest.approx(0.549, abs=0.01))


def test_the_same_numbers_give_the_same_interval():
    assert ci95([1, 2, 3], [4, 5, 6], "abc") == ci95([1, 2, 3], [4, 5, 6], "abc")


def test_scale_multiplies_both_edges():
    assert ci95([1, 2, 3], [4, 5, 6], "abc", scale=1000) == pytest.approx(
        [1000 * edge for edge in ci95([1, 2, 3], [4, 5, 6], "abc")]
    )


def test_one_utterance_has_no_interval():
    assert ci95([1], [2], "a") is None


def test_questions_about_an_utterance_are_drawn_together():
    found = ci95([1, 1, 0, 0, 1], [1, 1, 1, 2, 1], ["b", "a", "c", "b", "a"])
    assert found == ci95([1, 2, 0], [3, 2, 1], ["b", "a", "c"])
    assert ci95([1, 0, 1], [1, 1, 1], "aaa") is None


def test_a_request_tells_its_utterance():
    row = {"utt": "clip-1", "question": "Who speaks?"}
    requests = [request_key(load_tasks()[task], row) for task in ("aqa", "asr")]
    assert requests == ["clip-1 Who speaks?", "clip-1"] and utterances(requests) == ["clip-1", "clip-1"]


def test_of_six_questions_a_clip_the_interval_holds_the_rate_as_often_as_it_says():
    """By questions it would hold it in about 80 % of the draws."""
    draw, held = np.random.default_rng(1), 0
    clips = np.repeat(np.arange(200), 6)
    for _ in range(100):
        right = draw.random((200, 6)) < draw.random((200, 1))  # some clips are easy, others are not
        low, high = ci95(right.ravel(), np.ones(1200), clips)
        held += low <= 0.5 <= high
    assert 90 <= held <= 99


NOTE = "<|pitch|><|midi_pitch_60|><|velocity|><|midi_velocity_90|><|instrument|>bass"
PAIR = "<|startofentitytype|>name<|endofentitytype|><|startofentityvalue|>Ann<|endofentityvalue|>"
TIMED = "<|0.00|>dog<|4.00|>"
INTERVALS = {"wer": "go on", "cer": "go on", "cpwer": "go on", "accuracy": "yes", "choice": "A", "note": NOTE,
             "note_pitch": NOTE, "entity_f1": PAIR, "slot_f1": PAIR, "der": TIMED, "sed_segment": TIMED,
             "sed_event": TIMED, "aas": TIMED}  # fmt: skip


@pytest.mark.parametrize("metric, text", INTERVALS.items(), ids=INTERVALS)
def test_each_metric_draws_utterances_not_questions(metric, text):
    found = {
        keys: compute(metric, {key: [text] for key in keys}, {key: text for key in keys})["ci95"]
        for keys in (("u1 Who?", "u1 Why?"), ("u1 Who?", "u2 Why?"))
    }
    assert [interval is not None for interval in found.values()] == [False, True]


def test_nothing_in_the_denominator_has_no_interval():
    assert ci95([0, 1], [0, 0], "ab") is None


def test_draws_without_a_denominator_are_left_out():
    low, high = ci95([0, 3], [0, 6], "ab")
    assert low == high == 0.5


def test_a_hundred_thousand_utterances_are_drawn_in_blocks_that_memory_holds():
    ones, twos = np.ones(100_000), np.full(100_000, 2)
    tracemalloc.start()
    try:
        assert ci95(ones, twos, range(100_000)) == [0.5, 0.5]
        assert tracemalloc.get_traced_memory()[1] < 100e6  # all draws at once: 400 MB
    finally:
        tracemalloc.stop()
