from qwen_audio.words import parse_words


def test_times_above_99_seconds_parse():
    assert parse_words("<|99.50|>a<|123.04|>") == [(99.5, 123.04, "a")]


def test_words_with_their_own_start_and_end_parse():
    assert parse_words("<|0.00|>a<|0.10|><|0.15|> b <|0.30|>") == [(0.0, 0.1, "a"), (0.15, 0.3, "b")]


def test_a_cut_off_last_word_is_malformed():
    assert parse_words("<|0.00|>a<|0.10|>b") is None


def test_times_without_a_word_are_malformed():
    assert parse_words("<|0.00|><|0.10|>") is None
