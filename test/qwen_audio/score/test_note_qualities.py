import pytest
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import MultiLabelBinarizer

from qwen_audio.score import compute
from qwen_audio.score.note_qualities import QUALITIES


def note(*sonic):
    text = "<|pitch|><|midi_pitch_60|><|velocity|><|midi_velocity_90|><|instrument|>bass"
    return text + (f"<|sonic|>{', '.join(sonic)}" if sonic else "")


def qualities(refs, hyps):
    refs = {f"n{i}": [text] for i, text in enumerate(refs)}
    return compute("note_qualities", refs, {f"n{i}": text for i, text in enumerate(hyps)})


def test_by_hand():
    # bright: written for the two that are and one that is not, 2/3 at recall 1. dark: never written, so all
    # four tie and a quarter is right. reverb: written of a note that has it not, and no note has it, so 0.
    refs = [note("bright"), note("bright", "dark"), note(), note()]
    found = qualities(refs, [note("bright"), note("bright"), note("bright", "reverb"), note()])
    assert found["classes"] == pytest.approx({"bright": 2 / 3, "dark": 1 / 4, "reverb": 0})
    assert found["score"] == pytest.approx((2 / 3 + 1 / 4) / 3)
    assert found["without_positive"] == 1
    assert found["with_positive_mean"] == pytest.approx((2 / 3 + 1 / 4) / 2)


def test_the_mean_is_that_of_the_released_script():
    """Its binarizer learns the qualities from references and hypotheses together."""
    wanted = [["bright"], ["bright", "dark"], [], ["percussive"]]
    written = [["bright", "reverb"], ["dark"], ["bright"], ["percussive"]]
    columns = MultiLabelBinarizer().fit_transform(wanted + written)
    with pytest.warns(UserWarning, match="No positive class"):
        expected = average_precision_score(columns[:4], columns[4:], average="macro")
    refs, hyps = ([note(*names) for names in side] for side in (wanted, written))
    assert qualities(refs, hyps)["score"] == pytest.approx(expected)


def test_all_ten_right_is_1():
    texts = [note(name) for name in QUALITIES]
    found = qualities(texts, texts)
    assert (found["score"], found["without_positive"]) == (1, 0)


def test_names_may_be_written_with_spaces_and_capitals():
    refs = [note("fast_decay"), note("tempo-synced")]
    assert qualities(refs, [note("Fast decay"), note("tempo synced")])["with_positive_mean"] == 1


def test_without_a_quality_in_any_reference_there_is_no_score():
    found = qualities([note()], [note("bright")])
    assert (found["score"], found["without_positive"]) == (None, 1)


def test_strange_words_and_malformed_answers_are_counted():
    found = qualities([note("bright")] * 3, [note("bright", "loud"), "bright", "<|sonic|>bright"])
    assert (found["unknown"], found["malformed"]) == (1, 1)


def test_a_reference_with_a_strange_quality_is_named():
    with pytest.raises(ValueError, match="reference of n0 has the quality 'loud'; NSynth has bright, dark"):
        qualities([note("loud")], [note()])
