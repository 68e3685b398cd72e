import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.data.corpus_dir import Utterance, write_set
from qwen_audio.data.split import audio_hash, check_leak, components, normalise_sentence, split_components


def clip(path, seed, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-9999, 9999, round(16000 * seconds)).astype("int16")
    soundfile.write(path, samples, 16000)
    return str(path)


def data_dir(tmp_path, name, rows):
    """rows: (id, audio path, text, translation)."""
    utterances = [
        Utterance(utt, utt, audio, text, "es", examples=[{"task": "s2tt", "text": english}])
        for utt, audio, text, english in rows
    ]
    write_set(tmp_path / name, utterances, "own")
    return tmp_path / name


@pytest.mark.parametrize(
    ("one", "other"),
    [("Pulse 1, ¡ya!", "pulse 1 YA"), ("Ёлка — да…", "ёлка да"), ("café", "cafe\u0301"), ("don't", "Don’t")],
)
def test_texts_that_read_the_same_aloud_are_equal(one, other):
    assert normalise_sentence(one) == normalise_sentence(other)


def test_texts_that_differ_in_a_letter_stay_different():
    assert normalise_sentence("esta") != normalise_sentence("está")


def test_names_joined_through_others_are_one_component():
    features = {"d": {"x"}, "a": {"y"}, "b": {"x", "y"}, "c": {"z"}, "e": set()}
    assert components(features) == {"a": "a", "b": "a", "d": "a", "c": "c", "e": "e"}


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.frozensets(st.integers(0, 9), max_size=3))
)
def test_no_feature_is_in_two_components(features):
    found = components(features)
    owners = {}
    for name, held in features.items():
        for feature in held:
            assert owners.setdefault(feature, found[name]) == found[name]
    assert set(found) == set(features)


@given(st.sets(st.text(max_size=5), max_size=60), st.floats(0, 0.4), st.floats(0, 0.4))
def test_every_component_is_in_one_split_and_shares_hold(names, test, valid):
    split = split_components(names, test=test, valid=valid)
    assert set(split) == names
    counts = {part: list(split.values()).count(part) for part in ("train", "valid", "test")}
    if len(names) < 3:
        assert counts["train"] == len(names)
    else:
        assert counts["test"] == max(1, round(test * len(names)))
        assert counts["valid"] == max(1, round(valid * len(names)))


def test_a_split_does_not_depend_on_the_order_of_names():
    names = [str(n) for n in range(50)]
    assert split_components(names, test=0.2, valid=0.1) == split_components(names[::-1], test=0.2, valid=0.1)


def test_components_are_cut_in_the_order_of_their_sha1():
    # published values: 2fd4... of this, a999... of "abc", da39... of ""
    fox = "The quick brown fox jumps over the lazy dog"
    assert split_components(["", "abc", fox], test=0.3, valid=0.3) == {
        fox: "test",
        "abc": "valid",
        "": "train",
    }


def test_a_recording_has_one_hash_in_any_container(tmp_path):
    samples = np.random.default_rng(0).integers(-9999, 9999, 1600).astype("int16")
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, 16000)
    soundfile.write(tmp_path / "b.wav", samples[::-1], 16000)
    assert audio_hash(tmp_path / "a.wav") == audio_hash(tmp_path / "a.flac") != audio_hash(tmp_path / "b.wav")


def test_disjoint_sets_pass_and_are_counted(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "two")])
    assert check_leak([train], [held]) == {
        "train_recordings": 1,
        "held_out_recordings": 1,
        "unreadable_recordings": 0,
        "train_sentences": 2,
        "held_out_sentences": 2,
    }


def test_a_planted_copy_of_a_recording_is_named(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    rows = [
        ("b", clip(tmp_path / "b.wav", 2), "dos", "two"),
        ("c", clip(tmp_path / "copy.flac", 1), "tres", "three"),
    ]
    with pytest.raises(ValueError, match=r"1 recording\(s\) of valid or test.*copy.flac = .*a.wav"):
        check_leak([train], [data_dir(tmp_path, "test", rows)])


def test_a_planted_sentence_is_named_whatever_its_case_and_marks(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "¡Hola, amigo!", "hello")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "hola amigo", "hi")])
    with pytest.raises(ValueError, match=r"1 sentence\(s\).*test b = train a \('hola amigo'\)"):
        check_leak([train], [held])


def test_a_planted_translation_is_named(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "Same words.")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "same words")])
    with pytest.raises(ValueError, match="same words"):
        check_leak([train], [held])


def test_what_cannot_be_read_is_counted_and_stops_nothing(tmp_path):
    train = data_dir(tmp_path, "train", [("a", str(tmp_path / "gone.wav"), "uno", "one")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "two")])
    assert check_leak([train], [held])["unreadable_recordings"] == 1
