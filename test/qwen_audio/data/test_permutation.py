import hashlib

import numpy as np
import pytest

from qwen_audio.data.permutation import choose, key, permute


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 1000, 4097])
def test_every_number_comes_once(n):
    for seed in range(5):
        assert sorted(permute(np.arange(n), n, key(seed))) == list(range(n))


def test_a_part_of_the_order_is_computed_alone():
    whole = permute(np.arange(1000), 1000, key("a"))
    assert permute(np.array([17, 900]), 1000, key("a")).tolist() == whole[[17, 900]].tolist()


def test_orders_of_different_keys_are_unrelated():
    n, orders = 2000, [permute(np.arange(2000), 2000, key("epoch", e)) for e in range(20)]
    in_place = [np.mean(one == other) for one in orders for other in orders if one is not other]
    assert max(in_place) < 0.01
    for order in [*orders, orders[0][orders[1]]]:
        assert abs(np.corrcoef(np.arange(n), order)[0, 1]) < 0.1
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.1
        assert np.mean(np.abs(np.diff(order)) == 1) < 0.01  # a random order keeps 2 in n neighbours


def test_keys_are_a_hash_of_the_parts_that_no_process_salts():
    digest = hashlib.blake2b(b"('asr', 0)", digest_size=8).hexdigest()
    assert f"{key('asr', 0):016x}" == digest
    assert key("asr", 0) != key("asr", 1) != key("lid", 1)


def test_choices_are_uniform_and_depend_on_the_key():
    chosen = choose(np.arange(30000), 3, key("speed"))
    assert np.bincount(chosen).tolist() == pytest.approx([10000] * 3, abs=300)  # 3 sigma is 245
    assert np.mean(chosen == choose(np.arange(30000), 3, key("other"))) == pytest.approx(1 / 3, abs=0.02)
