import hypothesis
import hypothesis.strategies as st
import pytest

from qwen_audio.data.subtitles import cues
from qwen_audio.data.timed_words import join_words, timed_transcript
from qwen_audio.words import HeardWord


def spoken(text, each=0.3, gap=0.1, start=0.0, language="en"):
    """Words of ``each`` seconds, ``gap`` seconds apart."""
    words = list(text) if language in ("zh", "ja") else text.split()
    return [
        (word, start + n * (each + gap), start + n * (each + gap) + each, 1.0) for n, word in enumerate(words)
    ]


def shown(words, language="en"):
    transcript = timed_transcript("u", language, 99.0, [HeardWord(*word) for word in words])
    return [(cue.start, cue.end, cue.lines) for cue in cues(transcript)]


def test_words_said_without_a_pause_are_one_cue():
    assert shown(spoken("press one to go on")) == [(0, 1900, ("press one to go on",))]


def test_a_pause_of_a_second_begins_a_new_cue():
    words = spoken("press one") + spoken("to go on", start=1.7)
    assert shown(words) == [(0, 833, ("press one",)), (1700, 2800, ("to go on",))]
    assert len(shown(spoken("press one") + spoken("to go on", start=1.69))) == 1


def test_a_sentence_ends_its_cue_once_it_has_lasted_five_sixths_of_a_second():
    assert shown(spoken("Yes. Press one to go on. Thank you.")) == [
        (0, 2300, ("Yes. Press one to go on.",)),
        (2400, 3233, ("Thank you.",)),
    ]


def test_what_does_not_fit_in_one_line_is_two_of_nearly_equal_length():
    text = "you have seven new messages and three old messages"
    assert shown(spoken(text, each=0.2))[0][2] == ("you have seven new messages", "and three old messages")


def test_what_does_not_fit_in_two_lines_goes_on_in_the_next_cue():
    words = spoken(" ".join(["abcdefghi"] * 9), each=0.2)  # four of nine letters, with blanks, are 39
    assert [cue[2] for cue in shown(words)] == [
        ("abcdefghi abcdefghi abcdefghi abcdefghi",) * 2,
        ("abcdefghi",),
    ]


def test_a_cue_stays_no_longer_than_seven_seconds():
    assert [end - start for start, end, _ in shown(spoken("a b c d e f g h i j", each=0.9))] == [6900, 2900]
    assert shown([("aaah", 0.0, 30.0, 1.0)]) == [(0, 7000, ("aaah",))]


def test_a_short_cue_stays_longer_but_not_into_the_next():
    words = [("no", 0.0, 0.1, 1.0), ("yes", 1.2, 1.4, 1.0)]
    assert shown(words) == [(0, 833, ("no",)), (1200, 2033, ("yes",))]
    long = "x" * 42
    assert shown([(long, 0.0, 0.1, 1.0), (long, 0.2, 0.3, 1.0), ("y", 0.4, 0.5, 1.0)])[0][:2] == (0, 400)


def test_a_word_longer_than_a_line_is_not_cut():
    assert shown([("x" * 50, 0.0, 1.0, 1.0), ("y", 1.0, 1.5, 1.0)]) == [
        (0, 1000, ("x" * 50,)),
        (1000, 1833, ("y",)),
    ]


@pytest.mark.parametrize("language, width", [("zh", 16), ("ja", 13)])
def test_lines_of_wide_characters_are_shorter(language, width):
    found = shown(spoken("一二三四五六七八九" * 4, each=0.1, gap=0.0, language=language), language)
    assert max(len(line) for _, _, lines in found for line in lines) == width
    assert "".join(line for _, _, lines in found for line in lines) == "一二三四五六七八九" * 4


def test_a_mark_begins_no_line_and_no_cue_where_marks_are_words_of_their_own():
    found = shown(spoken("请按一。请按二，然后按三。", each=0.3, language="zh"), "zh")
    assert [lines for _, _, lines in found] == [("请按一。",), ("请按二，然后按三。",)]
    assert [lines for _, _, lines in shown(spoken("press one . press two ."))] == [
        ("press one.",),
        ("press two.",),
    ]


def test_a_sentence_may_end_in_a_quote():
    assert [lines for _, _, lines in shown(spoken('say "go on." now'))] == [('say "go on."',), ("now",)]


@hypothesis.given(
    st.lists(
        st.tuples(st.text("ab.", min_size=1, max_size=45), st.floats(0, 60), st.floats(0, 9)), max_size=40
    )
)
def test_cues_never_overlap_keep_every_word_and_hold_their_limits(drawn):
    words = [
        HeardWord(text, start, start + length, 1.0)
        for text, start, length in sorted(drawn, key=lambda row: row[1])
    ]
    found = cues(timed_transcript("u", "en", 70.0, words))
    shown_text = join_words([line for cue in found for line in cue.lines], "en")
    assert shown_text == join_words([word.text for word in words], "en")
    assert all(0 < cue.end - cue.start <= 7000 and 1 <= len(cue.lines) <= 2 for cue in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:]))
    assert all(len(line) <= 42 or " " not in line for cue in found for line in cue.lines)
