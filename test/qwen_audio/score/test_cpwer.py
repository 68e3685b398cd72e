import itertools

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from qwen_audio.score import compute

SPEAKERS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), min_size=1, max_size=3)


def cpwer(ref, hyp, **options):
    return compute("cpwer", {"u": [ref]}, {"u": hyp}, **options)


def test_the_order_of_the_speakers_is_free():
    found = cpwer("one two three<|delim|>four five", "four five<|delim|>one two")
    assert (found["score"], found["errors"], found["words"], found["deletions"]) == (0.2, 1, 5, 1)


def test_a_speaker_too_many_adds_its_words_and_one_too_few_lacks_them():
    found = cpwer("one two", "one two<|delim|>three")
    assert (found["errors"], found["insertions"], found["false_speakers"]) == (1, 1, 1)
    found = cpwer("one two<|delim|>three", "one two")
    assert (found["errors"], found["deletions"], found["missed_speakers"]) == (1, 1, 1)


@given(SPEAKERS, SPEAKERS)
def test_it_is_the_least_of_the_edits_over_all_assignments(ref, hyp):
    size = max(len(ref), len(hyp))
    padded = hyp + [[]] * (size - len(hyp))
    least = min(
        sum(map(Levenshtein.distance, ref + [[]] * (size - len(ref)), order))
        for order in itertools.permutations(padded)
    )
    texts = ("<|delim|>".join(map(" ".join, side)) for side in (ref, hyp))
    assert cpwer(*texts)["errors"] == least


def test_texts_are_normalised_one_by_one():
    ref, hyp = "The colour.<|delim|>Yes!", "yes<|delim|>the color"
    assert cpwer(ref, hyp, protocol="whisper")["score"] == 0
    assert cpwer(ref, hyp, protocol="qwen_audio")["errors"] == 2  # colour. and yes!


def test_a_language_without_spaces_is_compared_by_character():
    found = cpwer("你好<|delim|>再见", "再见<|delim|>你们", lang="zh")
    assert (found["unit"], found["errors"], found["words"]) == ("character", 1, 4)


def test_a_loop_of_separators_is_scored_not_refused():
    found = cpwer("a<|delim|>b", "<|delim|>".join(["a"] * 30))
    assert (found["score"], found["malformed"]) == (29 / 2, 0)  # b written as a, and 28 words too many


def test_a_hypothesis_with_an_empty_text_is_malformed():
    assert cpwer("a<|delim|>b", "a<|delim|>")["malformed"] == 1
    assert cpwer("a", "")["malformed"] == 1
