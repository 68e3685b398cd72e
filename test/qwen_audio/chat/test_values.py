import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.chat.values import CHAT_LANGS, SPOKEN, names
from qwen_audio.tags import LANGUAGES

TIMES = st.integers(0, 3000).map(lambda hundredths: hundredths / 100)
WORDS = st.text(st.characters(whitelist_categories=["L", "N"]), min_size=1)
VALUES = {
    "number": st.integers(0, 127),
    "numbers": st.lists(st.integers(1, 4), min_size=1),
    "seconds": TIMES,
    "language": st.sampled_from(sorted(LANGUAGES)),
    "listed": st.lists(WORDS, min_size=1),
    "texts": st.lists(WORDS, min_size=1),
    "words": st.lists(st.tuples(TIMES, TIMES, WORDS).map(list), min_size=1),
    "segments": st.lists(st.tuples(TIMES, TIMES, WORDS).map(list)),
    "pairs": st.lists(st.tuples(WORDS, WORDS).map(list)),
    "yes": st.booleans(),
}


@pytest.mark.parametrize("lang", CHAT_LANGS)
@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_what_is_said_is_heard_again(kind, lang, data):
    value = data.draw(VALUES[kind])
    spoken = SPOKEN[kind]
    assert spoken.hear(spoken.say(value, lang), lang) == value


def test_values_are_said_as_people_write_them():
    assert SPOKEN["words"].say([[0.1, 0.42, "hello"], [0.5, 0.9, "there"]], "en") == (
        "hello (0.10-0.42), there (0.50-0.90)"
    )
    assert SPOKEN["language"].say("es", "zh") == "西班牙语"
    assert SPOKEN["language"].say("unknown", "en") == "an unknown language"
    assert SPOKEN["label"].say("no such label", "zh") == "no such label"
    assert SPOKEN["numbers"].say([2, 1], "zh") == "2、1"


@pytest.mark.parametrize(
    "kind, words",
    [
        ("words", "hello (0.10-0.4), there"),
        ("words", "(0.10-0.42)"),
        ("pairs", "the third of may"),
        ("language", "Klingon"),
        ("number", "sixty"),
        ("seconds", "soon"),
        ("yes", "perhaps"),
    ],
)
def test_what_is_no_value_is_heard_as_none(kind, words):
    assert SPOKEN[kind].hear(words, "en") is None


@pytest.mark.parametrize("lang", CHAT_LANGS)
def test_no_two_labels_share_a_name(lang):
    found = names(lang)
    assert len(set(found.values())) == len(found)


def test_every_language_has_a_chinese_name():
    assert set(LANGUAGES.values()) <= set(names("zh"))
