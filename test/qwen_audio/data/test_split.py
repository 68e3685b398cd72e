import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.data.split import audio_hash, components, normalise_sentence, split_components


def clip(path, seed, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-9999, 9999, round(16000 * seconds)).astype("int16")
    soundfile.write(path, samples, 16000)
    return str(path)


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
