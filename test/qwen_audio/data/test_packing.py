import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import META, write_set

from qwen_audio.data.packing import (
    ENTRY_DTYPE,
    Budget,
    Sizes,
    check_rows,
    measure,
    pack,
    pack_evenly,
    padded_batches,
)
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter


def single(positions, samples) -> Sizes:
    """Rows with one clip each."""
    return Sizes(positions, samples, np.ones_like(samples), samples)


def falling(lengths):
    return np.array(sorted(lengths, reverse=True))


def fits(positions, samples, budget):
    padded = len(positions) * positions.max(), len(samples) * samples.max(), len(positions)
    return all(
        a <= b for a, b in zip(padded, (budget.positions, budget.samples, budget.examples), strict=True)
    )


def test_rows_times_longest_stays_within_each_limit():
    positions, samples = np.array([10, 6, 5, 5, 2, 1]), np.array([100, 10, 70, 10, 10, 10])
    sizes = single(positions, samples)
    assert pack(sizes, Budget(positions=20)) == [2, 6]  # 2x10, 4x5
    assert pack(sizes, Budget(examples=4)) == [4, 6]
    assert pack(sizes, Budget(samples=140)) == [1, 3, 6]  # 1x100, 2x70, 3x10


def test_every_clip_is_as_long_as_the_longest_of_its_batch():
    seconds = [[30.0]] * 4 + [[3.5] * 8] * 4 + [[]] * 4
    clips, longest = np.array([len(row) for row in seconds]), np.array([max([0.0, *row]) for row in seconds])
    sizes = Sizes(np.full(12, 10), clips * longest, clips, longest)
    ends = pack(sizes, Budget(samples=240))
    assert ends == [4, 12]  # 4x30; with one of the next rows 12x30; then 32x3.5, and texts, which have none
    batches = [sum(seconds[a:b], []) for a, b in itertools.pairwise([0, *ends])]
    assert all(len(batch) * max(batch) <= 240 for batch in batches)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=7), st.integers(1, 4))
def test_even_packing_takes_the_fewest_groups_within_the_budget(rows, multiple):
    rows = sorted(rows, reverse=True)
    positions, samples = np.array(rows).T
    budget = Budget(positions=60, samples=50, examples=4)
    ends = pack_evenly(single(positions, samples), budget, multiple)
    groups = [slice(a, b) for a, b in itertools.pairwise([0, *ends])]
    assert ends[-1] == len(rows) and all(group.start <= group.stop for group in groups)
    assert all(fits(positions[g], samples[g], budget) for g in groups if g.start < g.stop)
    fewest = min(
        count + 1
        for count in range(len(rows))
        for cuts in itertools.combinations(range(1, len(rows)), count)
        if all(
            fits(positions[a:b], samples[a:b], budget) for a, b in itertools.pairwise([0, *cuts, len(rows)])
        )
    )
    assert len(ends) == -(-fewest // multiple) * multiple


def test_no_group_is_left_with_a_few_rows():
    positions = np.full(17, 10)
    ends = pack_evenly(single(positions, positions), Budget(examples=8))
    assert np.diff([0, *ends]).tolist() == [6, 6, 5]  # not 8, 8, 1


def test_a_part_of_a_batch_has_its_share_of_the_budget():
    budget = Budget.from_config({"max_positions": 100, "max_seconds": 2.5, "max_examples": None}, parts=3)
    assert (budget.positions, budget.samples) == (33, 13333)
    with pytest.raises(ValueError, match="batch_conf limits nothing; give at least one of max_positions"):
        Budget.from_config({"max_examples": None})
    with pytest.raises(
        ValueError, match=r"batch_conf.max_examples is 3 for 4 part\(s\) \(accum_grad\); raise it"
    ):
        Budget.from_config({"max_examples": 3}, parts=4)


def test_positions_are_frames_and_text_tokens_at_the_speed_of_the_row(tmp_path):
    data = write_set(tmp_path / "set", [("asr", 1600, 3, 4), ("asr", 3200, 1, 2)])
    entries = np.array([(0, 1, 1.0), (0, 0, 1.0), (0, 0, 0.8)], dtype=ENTRY_DTYPE)
    sizes = measure([data], entries, lambda samples: samples // 160)
    assert sizes.samples.tolist() == sizes.longest.tolist() == [3200, 1600, 2000]
    assert sizes.positions.tolist() == [20 + 3, 10 + 7, 12 + 7] and sizes.clips.tolist() == [1, 1, 1]


def test_a_row_above_the_budget_or_without_a_frame_is_named(tmp_path):
    data = write_set(tmp_path / "set", [("asr", 1600, 3, 4), ("asr", 32000, 3, 4), ("lid", 90, 3, 4)])
    frames_of = lambda samples: samples // 160  # noqa: E731
    check_rows([data], ["asr"], Budget(positions=207, samples=32000), frames_of, {})
    with pytest.raises(ValueError, match="utt1 .task asr. takes 207, above batch_conf.max_positions of 206"):
        check_rows([data], ["asr"], Budget(positions=206), frames_of, {})
    with pytest.raises(ValueError, match="utt1 .task asr. takes 2, above batch_conf.max_seconds of 1.9"):
        check_rows([data], ["asr"], Budget(samples=31999), frames_of, {})
    with pytest.raises(ValueError, match="utt1 .task asr at speed 0.5. takes 4, above"):
        check_rows([data], ["asr"], Budget(samples=32000), frames_of, {"asr": 0.5})
    with pytest.raises(ValueError, match="utt2 .90 samples. is too short for one decoder frame"):
        check_rows([data], ["lid"], Budget(positions=206), frames_of, {})


def test_a_dialogue_takes_the_positions_of_all_its_audios(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        clips = [("a.wav", 250), ("b.wav", 300)]  # a frame each, where 550 samples at once would be 3
        writer.add_dialogue([1, 1, 6, 7], [False, False, True, True], clips, "joined", "d1", 0)
        writer.add_dialogue([5, 6], [False, True], [], "text", "d2", 1)
        writer.add_dialogue([1, 6], [False, True], [("c.wav", 90)], "template", "d3", 2)
        writer.close(META)
    data, frames_of = TokenSet(tmp_path / "set"), lambda samples: samples // 160
    entries = np.array([(0, 0, 1.0), (0, 1, 1.0)], dtype=ENTRY_DTYPE)
    sizes = measure([data], entries, frames_of)
    assert (sizes.positions.tolist(), sizes.samples.tolist()) == ([4 + 2, 2], [550, 0])
    assert (sizes.clips.tolist(), sizes.longest.tolist()) == ([2, 0], [300, 0])
    check_rows([data], ["joined"], Budget(samples=600), frames_of, {})
    with pytest.raises(ValueError, match="utterance d1 .task joined. takes 0.0375, above"):
        check_rows([data], ["joined"], Budget(samples=599), frames_of, {})  # twice 300
    check_rows([data], ["joined", "text"], Budget(positions=7), frames_of, {})
    with pytest.raises(ValueError, match="utterance d3 .90 samples. is too short for one decoder frame"):
        check_rows([data], ["template"], Budget(positions=7), frames_of, {})


def test_padded_batches_keep_the_order_and_are_as_full_as_the_budget_allows():
    def batches(*limits):
        return list(padded_batches([3, 2, 2, 4, 9, 1, 1, 1], lambda item: item, *limits))

    assert batches(8) == [[3, 2], [2, 4], [9], [1, 1, 1]]  # one above the budget stands alone
    assert batches(7.9) == [[3, 2], [2], [4], [9], [1, 1, 1]]
    assert batches(12, 2) == [[3, 2], [2, 4], [9], [1, 1], [1]]
    assert list(padded_batches([], len, 8)) == []
