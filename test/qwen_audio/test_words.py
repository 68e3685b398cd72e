import pytest

from qwen_audio.words import parse_words, split_words


def test_times_above_99_seconds_parse():
    assert parse_words("<|99.50|>a<|123.04|>") == [(99.5, 123.04, "a")]


def test_words_with_their_own_start_and_end_parse():
    assert parse_words("<|0.00|>a<|0.10|><|0.15|> b <|0.30|>") == [(0.0, 0.1, "a"), (0.15, 0.3, "b")]


def test_a_cut_off_last_word_is_malformed():
    assert parse_words("<|0.00|>a<|0.10|>b") is None


def test_times_without_a_word_are_malformed():
    assert parse_words("<|0.00|><|0.10|>") is None


@pytest.mark.parametrize(
    "language, text, words",
    [
        ("en", "one  two", ["one", "two"]),
        ("hi", "नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("zh", "你 好", ["你", "好"]),
        ("yue", "你好", ["你", "好"]),
        ("th", "ที่ นี่", ["ที่", "นี่"]),  # a letter, its vowel and its tone
        ("my", "ရေ", ["ရေ"]),
        ("th", "ก \u0e48ก\u0e48 ", ["ก", "\u0e48", "ก\u0e48"]),  # a tone written on a blank
    ],
)
def test_words_are_cut_at_spaces_or_into_letters_with_what_is_written_on_them(language, text, words):
    assert split_words(text, language) == words
