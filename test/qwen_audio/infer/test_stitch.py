import random

import hypothesis
import hypothesis.strategies as st

from qwen_audio.infer.stitch import Heard, stitch
from qwen_audio.words import HeardWord


def said(text, start, each=0.3, gap=0.1):
    """Words of ``each`` seconds, ``gap`` seconds apart, from ``start`` seconds on."""
    words = text.split()
    return [
        HeardWord(word, start + n * (each + gap), start + n * (each + gap) + each, 1.0)
        for n, word in enumerate(words)
    ]


def together(*windows):
    """Texts that windows of (start, end, words) give."""
    heard = (Heard(start, end, [HeardWord(*word) for word in words]) for start, end, words in windows)
    return " ".join(word.text for word in stitch(heard))


def test_one_window_is_its_words():
    words = said("press one", 0.0)
    assert list(stitch([Heard(0.0, 5.0, words)])) == words


def test_words_cut_at_both_edges_are_taken_from_the_window_that_heard_them_whole():
    left = (0.0, 4.0, [*said("press one to hear it", 2.0)[:4], ("id", 3.6, 4.0, 0.3)])
    right = (2.2, 6.0, [("ess", 2.2, 2.3, 0.3), *said("one to hear it again", 2.4)])
    assert together(left, right) == "press one to hear it again"


def test_a_word_heard_twice_is_given_once_with_the_times_of_the_earlier_window():
    left, right = said("stop", 2.0), said("stop", 2.2)
    assert list(stitch([Heard(0, 4, left), Heard(1, 5, right)])) == left


def test_marks_and_capitals_do_not_make_another_word():
    assert together((0, 4, said("well stop.", 2.0)), (1, 5, said("Stop and go", 2.4))) == "well stop. and go"


def test_a_word_said_thrice_is_given_thrice_though_each_window_misses_one():
    left = (0.0, 3.0, [*said("seven seven", 2.0), ("sev", 2.8, 3.0, 0.1)])
    right = (2.2, 5.0, [("en", 2.2, 2.3, 0.1), *said("seven seven new", 2.4)])
    assert together(left, right) == "seven seven seven new"


def test_windows_that_heard_no_common_word_are_joined_in_a_silence_of_both():
    left = (0.0, 4.0, [("four", 2.1, 2.4, 1.0), ("fif", 2.9, 4.0, 1.0)])
    right = (2.0, 6.0, [("for", 2.0, 2.4, 1.0), ("fifteen", 2.85, 4.3, 1.0)])
    assert together(left, right) == "four fifteen"


def test_without_a_common_word_or_silence_the_word_in_the_middle_is_given_once():
    left = (0.0, 4.0, [("aa", 1.9, 2.7, 1.0), ("bb", 2.7, 3.25, 1.0), ("cc", 3.25, 4.0, 1.0)])
    right = (2.0, 6.0, [("dd", 2.0, 2.75, 1.0), ("ee", 2.75, 3.3, 1.0), ("ff", 3.3, 4.2, 1.0)])
    assert together(left, right) == "aa bb ff"
    assert together((0.0, 4.0, right[2][:1]), (2.0, 6.0, right[2][1:])) == "dd ee ff"


def test_of_the_silences_the_one_counts_that_leaves_out_fewest_words():
    left = (0.0, 4.0, [("one", 2.1, 2.3, 1.0), ("two", 2.6, 2.8, 1.0)])
    right = (2.0, 6.0, [("too", 2.6, 2.8, 1.0), ("three", 2.9, 3.1, 1.0)])  # and a longer silence behind it
    assert together(left, right) == "one too three"


def test_words_rise_in_time_where_the_windows_disagree_about_when_they_were():
    left = [HeardWord("a", 25.0, 25.3, 1.0), HeardWord("b", 25.6, 25.9, 1.0)]
    right = [
        HeardWord(text, start, start + 0.2, 1.0) for text, start in (("b", 24.9), ("e", 25.3), ("f", 25.7))
    ]
    found = list(stitch([Heard(0.0, 28.0, left), Heard(24.0, 50.0, right)]))
    assert [tuple(word[:3]) for word in found] == [
        ("a", 25.0, 25.3),
        ("b", 25.6, 25.9),
        ("e", 25.6, 25.6),
        ("f", 25.7, 25.9),
    ]


def test_what_only_one_window_heard_is_kept():
    assert together((0, 4, said("go on", 3.0)), (2, 6, [])) == "go on"
    assert together((0, 4, []), (2, 6, said("go on", 2.1))) == "go on"
    assert together((0, 4, []), (2, 6, [])) == ""


def test_a_word_between_misheard_ones_counts_less_than_a_run_of_words():
    left = said("a b c d e f g", 1.0)
    right = said("x c d y f g h", 1.4)
    right[1] = ("z", *right[1][1:])  # d lies nearest to the overlap's middle, but f and g come together
    assert together((0, 4.0, left), (1.0, 7.0, right)) == "a b c d e f g h"


def test_a_word_whose_times_differ_by_less_than_a_second_is_still_the_same():
    for apart, expected in ((0.9, "go on"), (1.1, "go go on")):
        right = said("go on", 1.1 + apart)
        assert together((0, 4.0, said("go", 1.1)), (1.0, 7.0, right)) == expected


@hypothesis.given(st.integers(0, 10**6), st.integers(2, 40), st.floats(0, 0.12))
def test_whatever_is_said_no_word_is_lost_or_doubled(seed, vocabulary, jitter):
    """Windows of 10 s hear all words that lie whole in them, times wrong by ``jitter``, and cut ones wrongly."""
    draw = random.Random(seed)
    words, at = [], 0.0
    while at < 60:
        at += draw.choice([0.02, 0.1, 0.4])
        words.append(HeardWord(f"w{draw.randrange(vocabulary)}", at, at + draw.uniform(0.15, 0.6), 1.0))
        at = words[-1].end
    windows, begin = [], 0.0
    while not windows or windows[-1].end < at:
        end = begin + 10
        heard = []
        for text, start, stop, chance in words:
            if start < end and stop > begin:
                whole = start >= begin and stop <= end
                shift = draw.uniform(-jitter, jitter) / 2
                inside = max(start + shift, begin), min(stop + shift, end)
                heard.append(HeardWord(text if whole else f"cut {text}", *inside, chance))
        windows.append(Heard(begin, end, heard))
        begin = end - draw.uniform(2.5, 3.5)
    assert [word.text for word in stitch(windows)] == [word.text for word in words]
