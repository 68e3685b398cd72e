from itertools import combinations
from pathlib import Path

import pytest

from qwen_audio.score.paper import load_paper
from qwen_audio.score.report_picture import COMPARED, OURS, PAPER, WIDTH, picture
from qwen_audio.score.systems import System


def system(name, score, **changed):
    row = {
        "task": "asr", "set": "librispeech_test_other", "metric": "wer", "protocol": "qwen_audio",
        "score": score, "label_origin": "real", "missing": 0, "left_out": [],
    } | changed  # fmt: skip
    return System(name, Path("results.json"), [row])


@pytest.fixture(scope="module")
def figure():
    systems = [
        system("small", 0.1),
        system("a_name_of_some_length (egs/librispeech)", 0.02, missing=12, left_out=["3 cut to 30 s"]),
    ]
    return picture(load_paper()["3"], systems)


def cells(figure, near):
    """Texts of the line in which ``near`` stands, from left to right."""
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    height = next(text.get_position()[1] for text in texts if text.get_text() == near)
    found = [(text.get_position()[0], text.get_text()) for text in texts if text.get_position()[1] == height]
    return [text for _, text in sorted(found)]


def marks(figure, near):
    """Kind -> places on the strip of the line in which ``near`` stands, of 0 to 1."""
    axes = figure.axes[0]
    height = next(text.get_position()[1] for text in axes.texts if text.get_text() == near)
    left = next(text.get_position()[0] for text in axes.texts if text.get_text() == "0 to the largest")
    drawn = {kind.get_label(): kind.get_offsets().tolist() for kind in axes.collections}
    return {
        kind: [(x - left) / WIDTH for x, y in drawn[kind] if y == height] for kind in (COMPARED, PAPER, OURS)
    }


def test_a_line_has_our_score_the_papers_and_what_it_compares_with(figure):
    assert cells(figure, "small") == [
        "test-other", "WER % ↓", "10.0", "small", "4.2", "SpeechT5 5.8, SLM-FT 5.0, SALMONN 4.9",
    ]  # fmt: skip


def test_a_second_model_repeats_nothing_and_its_score_is_marked(figure):
    name = "a_name_of_some_length (egs/librispeech)"
    assert cells(figure, name) == ["2.0 (12 not decoded, 3 cut to 30 s)", name]


def test_a_dataset_without_a_score_of_ours_has_a_line_that_says_so(figure):
    assert cells(figure, "MELD") == ["er", "MELD", "test", "ACC ↑", "absent", "0.557", "WavLM-large 0.542"]


def test_marks_of_one_column_share_a_scale_from_nothing_to_the_largest(figure):
    first, second = marks(figure, "small"), marks(figure, "a_name_of_some_length (egs/librispeech)")
    assert first[OURS] == pytest.approx([1.0])  # 10.0 is the largest
    assert second[OURS] == pytest.approx([0.2])  # 2.0
    assert first[PAPER] == second[PAPER] == pytest.approx([0.42])
    assert first[COMPARED] == second[COMPARED] == pytest.approx([0.58, 0.5, 0.49])
    assert marks(figure, "MELD")[OURS] == []


def test_no_text_lies_on_another_or_outside(figure):
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in [*texts, *figure.axes[0].get_legend().get_texts()]]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    whole = figure.bbox
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)
    assert all(whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)
