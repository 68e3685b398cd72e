import pytest

from qwen_audio.data.timed_words import join_words, one_at_a_time, timed_transcript
from qwen_audio.words import HeardWord


def test_silence_and_words_without_a_character_are_no_words():
    words = [("<|sil|>", 0.0, 0.1, 0.9), ("yes", 0.1, 0.4, 0.8), ("  ", 0.4, 0.5, 0.1)]
    transcript = timed_transcript("u", "en", 1.0, [HeardWord(*word) for word in words])
    assert (transcript.text, transcript.words) == ("yes", (("yes", 0.1, 0.4, 0.8),))


def test_white_space_within_a_word_is_one_blank():
    words = [HeardWord(" New\t\nYork ", 0.0, 1.0, None)]
    assert timed_transcript("u", "en", 1.0, words).words[0].text == "New York"


@pytest.mark.parametrize(
    "language, text",
    [("en", "a b"), ("ko", "a b"), ("zh", "ab"), ("zh_tr", "ab"), ("ja", "ab"), ("th", "ab")],
)
def test_words_are_joined_as_their_language_writes_them(language, text):
    assert join_words(["a", "b"], language) == text


@pytest.mark.parametrize(
    "spans, expected",
    [
        ([(0.1, 0.5), (0.6, 0.9)], [(100, 500), (600, 900)]),
        ([(0.1, 0.7), (0.6, 0.9)], [(100, 600), (600, 900)]),  # the second begins before the first ends
        ([(0.0, 9.0), (1.0, 1.5), (2.0, 2.5)], [(0, 1000), (1000, 1500), (2000, 2500)]),
        ([(0.5, 0.5), (0.5, 0.5), (0.5, 0.5)], [(500, 501), (501, 502), (502, 503)]),
        ([(2.0, 2.5), (1.0, 1.5)], [(2000, 2001), (2001, 2002)]),  # times that run backwards
        ([(-0.2, 0.1)], [(0, 100)]),
        ([], []),
    ],
)
def test_words_one_at_a_time_never_overlap_and_last_a_millisecond_at_least(spans, expected):
    words = tuple(HeardWord("w", start, end, None) for start, end in spans)
    assert [span for _, *span in one_at_a_time(words)] == [list(span) for span in expected]


@pytest.mark.parametrize("language, text", [("en", "yes, go on."), ("zh", "yes,goon.")])
def test_marks_that_are_words_of_their_own_stand_right_behind_a_word(language, text):
    assert join_words(["yes", ",", "go", "on", "."], language) == text
    assert join_words(["."], language) == "."
