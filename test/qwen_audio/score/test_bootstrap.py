import time

import numpy as np
import pytest
from scipy import stats

from qwen_audio.score.bootstrap import ci95


def test_interval_of_a_rate_is_that_of_scipy():
    draw = np.random.default_rng(1)
    words = draw.integers(3, 20, 100)
    errors = draw.binomial(words, 0.3)
    found = ci95(errors, words)
    other = stats.bootstrap(
        (errors, words), lambda e, w, axis: e.sum(axis) / w.sum(axis), paired=True, method="percentile", rng=2
    ).confidence_interval
    assert found == pytest.approx([other.low, other.high], abs=0.005)


def test_half_right_of_four_hundred_is_about_five_points_wide_on_each_side():
    low, high = ci95([1, 0] * 200, [1] * 400)  # 1.96 * sqrt(0.25 / 400) = 0.049
    assert (low, high) == (pytest.approx(0.451, abs=0.01), pytest.approx(0.549, abs=0.01))


def test_the_same_numbers_give_the_same_interval():
    assert ci95([1, 2, 3], [4, 5, 6]) == ci95([1, 2, 3], [4, 5, 6])


def test_scale_multiplies_both_edges():
    assert ci95([1, 2, 3], [4, 5, 6], scale=1000) == pytest.approx(
        [1000 * edge for edge in ci95([1, 2, 3], [4, 5, 6])]
    )


def test_one_utterance_has_no_interval():
    assert ci95([1], [2]) is None


def test_nothing_in_the_denominator_has_no_interval():
    assert ci95([0, 1], [0, 0]) is None


def test_draws_without_a_denominator_are_left_out():
    low, high = ci95([0, 3], [0, 6])
    assert low == high == 0.5


def test_blocks_of_draws_cover_a_hundred_thousand_utterances_in_seconds():
    begin = time.perf_counter()
    low, high = ci95(np.ones(100_000), np.full(100_000, 2))
    assert (low, high) == (0.5, 0.5)
    assert time.perf_counter() - begin < 10
