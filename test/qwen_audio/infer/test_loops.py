import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.infer.loops import UNCOUNTED as U
from qwen_audio.infer.loops import first_round, looping, settled

LOOPS = {  # text that loops -> what is left of it
    (7, *[5] * 12): [7, 5],
    (5, 1, *[2, 3] * 6): [5, 1, 2, 3],
    (9, 9, *[1, 2, 3] * 4): [9, 9, 1, 2, 3],
    (1, *[1, 2, 3, 4] * 4, 1): [1, 1, 2, 3, 4],
    (0, *[1, 2, 3, 4, 5, 6, 7, 8] * 4): [0, 1, 2, 3, 4, 5, 6, 7, 8],
    tuple(list(range(40)) * 4): list(range(40)),
    (9, *[U, 5, U] * 12): [9, U, 5, U],
    (*[U, 5, 6, U] * 6,): [U, 5, 6, U],
    (*[U, 5, U, U, 6, 7, U] * 4,): [U, 5, U, U, 6, 7, U],
}
FREE = [
    [5] * 11,
    [1, 2] * 5,
    [1, 2, 3] * 3 + [1, 2],
    list(range(41)) * 4,
    [1, 2, 3, 4, 5, 6, 7, 8, 9] * 3,
    [],
    [5] * 12 + [6],
    [U, 5, U] * 4,
    [U, 5, U] * 11,
    [U, 5, 6, U] * 5,
]


@pytest.mark.parametrize("tokens", LOOPS)
def test_a_loop_is_found_and_cut_after_its_first_round(tokens):
    assert looping(torch.tensor(tokens))
    assert (
        first_round(list(tokens)) == len(LOOPS[tokens])
        and list(tokens[: first_round(list(tokens))]) == LOOPS[tokens]
    )


@pytest.mark.parametrize("tokens", FREE)
def test_fewer_rounds_or_longer_ones_or_a_loop_that_was_left_are_no_loop(tokens):
    assert not looping(torch.tensor(tokens, dtype=torch.long))
    assert first_round(tokens) == len(tokens)


def test_every_row_is_looked_at_for_itself():
    rows = torch.tensor([[1, 2] * 6, [3] * 12, list(range(12)), [U, 3, 4] * 4])
    assert looping(rows).tolist() == [True, True, False, False]


@given(tokens=st.lists(st.integers(U, 2), max_size=60) | st.sampled_from([list(loop) for loop in LOOPS]))
def test_what_is_settled_survives_whatever_loop_comes(tokens):
    """The text grows token by token, as a search writes it, up to its first loop."""
    sure = 0
    for count in range(1, len(tokens) + 1):
        assert settled(tokens[:count]) >= sure
        sure = settled(tokens[:count])
        if looping(torch.tensor(tokens[:count])):
            assert first_round(tokens[:count]) == sure
            break
    else:
        assert sure <= len(tokens)


def test_text_that_does_not_repeat_is_settled_at_once():
    assert settled([]) == 0
    assert [settled([1, 2, 3, 4, 5, 6][:count]) for count in range(1, 7)] == [1, 2, 3, 4, 5, 6]
    assert settled([1, 2, 3, 3]) == 3 and settled([1, 2, 3, 3, 4]) == 5
