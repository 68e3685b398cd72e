import shutil

import pytest

from qwen_audio.score import compute
from qwen_audio.score.registry import Absent

needs_java = pytest.mark.skipif(not shutil.which("java"), reason="no Java runtime")
REFS = {"a": ["a dog"], "b": ["a cat"]}
HYPS = {"a": "A dog.", "b": "A cat!"}


@needs_java
def test_cider_by_hand():
    # Each caption equals its reference: 1 for words (only dog, cat have weight), 1 for pairs, 0 for longer
    # ones, their mean times ten. Full stop and capital are gone through the PTB tokens.
    assert compute("cider", REFS, HYPS)["score"] == pytest.approx(10 * (1 + 1 + 0 + 0) / 4)


@needs_java
def test_cider_of_one_caption_is_0():
    assert compute("cider", {"a": ["a dog"]}, {"a": "a dog"})["score"] == 0


@needs_java
def test_cider_takes_empty_captions():
    assert compute("cider", REFS, {"a": "", "b": "A cat!"})["score"] == pytest.approx(2.5)


@needs_java
def test_rouge_l_by_hand():
    # longest common subsequence 2: precision 2/3, recall 1
    expected = (1 + 1.44) * (2 / 3) * 1 / (1 + 1.44 * 2 / 3)
    assert compute("rouge_l", {"a": ["dog barks"]}, {"a": "dog loudly barks"})["score"] == pytest.approx(
        expected
    )


@needs_java
def test_meteor_is_1_for_the_reference_less_for_a_synonym_and_0_for_silence():
    texts = ["a big dog barks loudly", "a large dog barks loudly", ""]
    same, synonym, none = (compute("meteor", {"a": texts[:1]}, {"a": text})["score"] for text in texts)
    assert same == pytest.approx(1)
    assert 0.5 < synonym < 1
    assert none == 0


def test_meteor_of_another_language_is_absent():
    with pytest.raises(Absent, match="English only, not 'de'"):
        compute("meteor", REFS, HYPS, lang="de")


@pytest.mark.parametrize("metric", ["cider", "rouge_l", "meteor"])
def test_without_java_the_error_names_it(metric, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="need Java, which is not on the PATH: install"):
        compute(metric, REFS, HYPS)
