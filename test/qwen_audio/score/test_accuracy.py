import pytest

from qwen_audio.score import compute


def accuracy(pairs, protocol=None, lang="en"):
    refs = {str(i): [ref] if isinstance(ref, str) else ref for i, (ref, _) in enumerate(pairs)}
    return compute("accuracy", refs, {str(i): hyp for i, (_, hyp) in enumerate(pairs)}, protocol, lang)


def test_strict_is_equality_after_strip():
    found = accuracy([("dog", " dog\n"), ("dog", "Dog"), ("dog", "dog."), ("dog", "a dog")])
    assert (found["score"], found["strict"], found["lenient"]) == (0.25, 0.25, 1.0)


def test_lenient_wants_whole_words():
    assert accuracy([("cat", "concatenation")])["lenient"] == 0


def test_lenient_finds_a_label_between_the_characters_of_a_language_without_spaces():
    pairs = [("狗", "这是狗的声音。"), ("猫", "狗"), ("1", "12个")]
    assert accuracy(pairs, "lenient", "zh")["score"] == pytest.approx(1 / 3)
    assert accuracy(pairs, "lenient", "ko")["score"] == 0


def test_lenient_rejects_an_answer_that_names_two_labels():
    assert accuracy([("dog", "dog or cat"), ("cat", "a cat")], "lenient")["score"] == 0.5


def test_lenient_takes_the_longest_of_nested_labels():
    pairs = [("bass guitar", "A bass guitar!"), ("guitar", "a bass guitar"), ("bass", "bass")]
    assert accuracy(pairs, "lenient")["score"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("protocol", ["strict", "lenient"])
def test_each_of_several_references_counts_by_itself(protocol):
    pairs = [(["dog", "dog", "hound"], "dog"), (["dog", "hound", "cat"], "cat"), ("dog", "cat")]
    found = accuracy(pairs, protocol)
    assert (found["score"], found["count"], found["references"]) == (pytest.approx(3 / 7), 3, 7)


def test_binary_takes_the_references_that_are_yes_or_no():
    found = accuracy([(["yes", "no", "maybe"], "yes"), (["a car", "a car", "yes"], "a car")], "binary")
    assert (found["score"], found["references"]) == (pytest.approx(1 / 3), 3)


def test_binary_takes_the_rows_whose_reference_is_yes_or_no():
    found = accuracy([("yes", "yes"), ("no", "yes"), ("a car", "a car")], "binary")
    assert (found["score"], found["count"]) == (0.5, 2)


def test_binary_without_such_rows_is_undefined():
    assert accuracy([("car", "car")], "binary")["score"] is None


def test_an_empty_answer_is_wrong_and_counted():
    found = accuracy([("dog", ""), ("dog", "dog")])
    assert (found["score"], found["lenient"], found["empty"]) == (0.5, 0.5, 1)


def test_score_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    refs, hyps = ["a", "b", "c", "a", "b", "a", "c"], ["a", "b", "b", "a", "a", "c", "c"]
    assert accuracy(list(zip(refs, hyps)))["score"] == pytest.approx(metrics.accuracy_score(refs, hyps))
