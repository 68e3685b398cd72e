import pytest
import torch

from qwen_audio.infer.loops import first_round, looping

LOOPS = {  # text that loops -> what is left of it
    (7, *[5] * 12): [7, 5],
    (5, 1, *[2, 3] * 6): [5, 1, 2, 3],
    (9, 9, *[1, 2, 3] * 4): [9, 9, 1, 2, 3],
    (1, *[1, 2, 3, 4] * 4, 1): [1, 1, 2, 3, 4],
    tuple([1, 2, 3, 4, 5, 6, 7, 8] * 4): [1, 2, 3, 4, 5, 6, 7, 8],
}
FREE = [[5] * 11, [1, 2] * 5, [1, 2, 3] * 3 + [1, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9] * 4, [], [5] * 12 + [6]]


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
    rows = torch.tensor([[1, 2] * 6, [3] * 12, list(range(12))])
    assert looping(rows).tolist() == [True, True, False]
