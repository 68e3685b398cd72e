import itertools

import numpy as np
import pytest

from qwen_audio.timestamp.path import best_path, sharpen, word_spans
from qwen_audio.words import split_words


def paths(rows, columns):
    """Every monotonic path through a matrix, as lists of (row, column)."""
    steps = [(1, 1), (1, 0), (0, 1)]
    open_paths = [[(0, 0)]]
    while open_paths:
        path = open_paths.pop()
        if path[-1] == (rows - 1, columns - 1):
            yield path
        for down, right in steps:
            row, column = path[-1][0] + down, path[-1][1] + right
            if row < rows and column < columns:
                open_paths.append([*path, (row, column)])


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 4), (3, 3), (3, 6), (4, 2), (2, 5)])
def test_the_path_is_the_best_of_all_there_are(rows, columns):
    score = np.random.default_rng(rows * 10 + columns).standard_normal((rows, columns))
    best = max(paths(rows, columns), key=lambda path: sum(score[place] for place in path))
    first = [min(column for row, column in best if row == number) for number in range(rows)]
    assert best_path(score).tolist() == first


def test_tokens_begin_where_their_attention_does():
    score = np.full((3, 7), -1.0)
    score[0, :2] = score[1, 2:6] = score[2, 6:] = 1.0
    assert best_path(score).tolist() == [0, 2, 6]


def test_a_head_that_always_looks_at_one_place_says_nothing():
    weights = np.full((1, 3, 9), 0.01)
    weights[:, :, 4] = 0.9
    assert np.allclose(sharpen(weights), 0)


def test_what_is_normalised_has_mean_nought_and_spread_one_over_the_tokens():
    # the median filter changes nothing
    weights = np.repeat(np.random.default_rng(0).random((2, 4, 1)), 8, axis=2)
    sharp = sharpen(weights)
    assert np.allclose(sharp.mean(1), 0) and np.allclose(sharp.std(1), 1)


def test_a_spike_of_one_frame_is_taken_out():
    weights = np.tile(np.arange(4.0)[None, :, None], (1, 1, 15))
    spiked = weights.copy()
    spiked[0, 0, 7] = 9.0
    assert np.allclose(sharpen(spiked), sharpen(weights))


def test_tokens_are_grouped_to_words_and_spaces_take_no_time():
    tokens = [b" Press", b" one", b",", b" re", b"cord"]
    assert word_spans(tokens, ["Press", "one,", "record"]) == [
        [(0, 0.0, 1.0)],
        [(1, 0.0, 1.0), (2, 0.0, 1.0)],
        [(3, 0.0, 1.0), (4, 0.0, 1.0)],
    ]


def test_a_token_of_white_space_belongs_to_the_word_behind_it():
    assert word_spans([b"press", b" ", b"1", b"\n"], ["press", "1"]) == [
        [(0, 0.0, 1.0)],
        [(1, 0.0, 1.0), (2, 0.0, 1.0)],
    ]


def test_a_token_of_two_characters_is_shared_between_them():
    tokens = ["今天".encode(), "好".encode()]
    assert word_spans(tokens, list("今天好")) == [[(0, 0.0, 0.5)], [(0, 0.5, 1.0)], [(1, 0.0, 1.0)]]


def test_a_character_of_several_tokens_has_them_all():
    first, last = "好".encode()[:2], "好".encode()[2:]
    assert word_spans([first, last, "吗".encode()], list("好吗")) == [
        [(0, 0.0, 1.0), (1, 0.0, 1.0)],
        [(2, 0.0, 1.0)],
    ]


def test_a_mark_on_a_blank_is_found_in_the_text_as_it_is_written():
    text = "ก \u0e48ก"
    assert word_spans([text.encode()], split_words(text, "th")) == [
        [(0, 0.0, 0.3)],
        [(0, 0.4, 0.7)],
        [(0, 0.7, 1.0)],
    ]


def test_every_word_has_its_letters_however_the_text_is_cut():
    text = " a bc  défg 你 "
    data = text.encode()
    for cuts in itertools.combinations(range(1, len(data)), 3):
        tokens = [data[a:b] for a, b in zip((0, *cuts), (*cuts, len(data)))]
        spans = word_spans(tokens, text.split())
        assert all(parts and all(0 <= low < high <= 1 for _, low, high in parts) for parts in spans)
        numbers = [number for parts in spans for number, _, _ in parts]
        assert numbers == sorted(numbers)
