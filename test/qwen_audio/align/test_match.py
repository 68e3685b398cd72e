import pytest

from qwen_audio.align.match import join_marks, match_words


def times(*words):
    """Words that last a second each, one after another."""
    return [(float(n), n + 1.0, word) for n, word in enumerate(words)]


def test_marks_that_are_not_spoken_join_a_word():
    assert join_marks("... enter it — now ...".split()) == ["...enter", "it—", "now..."]


def test_words_are_written_as_in_the_transcript_with_the_times_of_the_file():
    found = match_words("“Please,” ENTER — don't!", "en", times("please", "enter", "don't"))
    assert found == [(0, 1, "“Please,”"), (1, 2, "ENTER—"), (2, 3, "don't!")]


def test_a_word_that_the_file_has_in_parts_lasts_from_the_first_to_the_last():
    assert match_words("Re-enter it", "en", times("re", "enter", "it")) == [(0, 2, "Re-enter"), (2, 3, "it")]


def test_marks_of_their_own_in_the_file_are_no_words():
    assert match_words("yes, no", "en", times("yes", ",", "no")) == [(0, 1, "yes,"), (2, 3, "no")]


def test_characters_that_the_file_has_as_one_word_are_one_word():
    found = match_words("打开，机器。", "zh", times("打", "开", "机器"))
    assert found == [(0, 1, "打"), (1, 2, "开，"), (2, 3, "机器。")]


@pytest.mark.parametrize(
    "text, heard, said",
    [
        ("press one", ["press", "two"], "one in the transcript, two in the file"),
        ("press one", ["press"], "one in the transcript, nothing in the file"),
        ("press", ["press", "one"], "nothing in the transcript, one in the file"),
        ("press 1", ["press", "one"], "1 in the transcript, one in the file"),
        ("can not", ["cannot"], "can not in the transcript, cannot in the file"),
        ("press #", ["press"], "sign that may be spoken: #"),
        ("a + b", ["a", "b"], r"sign that may be spoken: \+"),
    ],
)
def test_the_word_that_differs_is_named_with_what_the_file_has(text, heard, said):
    with pytest.raises(ValueError, match=said):
        match_words(text, "en", times(*heard))
