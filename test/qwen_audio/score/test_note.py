import pytest

from qwen_audio.score import compute
from qwen_audio.score.note import parse_note


def note(pitch, velocity, instrument):
    return (
        f"<|pitch|><|midi_pitch_{pitch}|><|velocity|><|midi_velocity_{velocity}|><|instrument|>{instrument}"
    )


REFS = {"a": [note(60, 100, "keyboard")], "b": [note(61, 80, "bass")]}
HYPS = {"a": note(72, 100, "keyboard"), "b": note(61, 80, "guitar")}


def test_each_field_has_its_own_share():
    found = {name: compute(name, REFS, HYPS)["score"] for name in
             ("note", "note_pitch", "note_chroma", "note_velocity", "note_instrument")}  # fmt: skip
    assert found == {
        "note": 0,
        "note_pitch": 0.5,
        "note_chroma": 1,
        "note_velocity": 1,
        "note_instrument": 0.5,
    }


def test_note_has_the_fields_as_parts():
    found = compute("note", REFS, HYPS)
    assert [found[k] for k in ("pitch", "velocity", "instrument", "chroma")] == [0.5, 1, 0.5, 1]


def test_text_after_the_instrument_is_not_part_of_it():
    assert parse_note(note(1, 2, "synth lead ") + "<|sonic|>dark, long")["instrument"] == "synth lead"


def test_an_answer_cut_short_keeps_the_fields_before_the_cut():
    assert parse_note("<|pitch|><|midi_pitch_60|><|velocity|>") == {"pitch": 60}


def test_an_unreadable_field_is_wrong_and_counted():
    hyps = {"a": "<|pitch|>60", "b": "<|pitch|><|midi_pitch_61|>"}
    found = compute("note_pitch", REFS, hyps)
    assert (found["score"], found["malformed"], found["count"]) == (0.5, 1, 2)
    assert compute("note", REFS, hyps)["malformed"] == 2


def test_a_field_under_another_tag_is_not_read():
    assert parse_note("<|velocity|><|midi_pitch_60|>") == {}


def test_reference_without_the_field_is_named():
    with pytest.raises(ValueError, match="reference of a is 'piano'; it has no pitch"):
        compute("note_pitch", {"a": ["piano"]}, {"a": "piano"})
