import json
import shutil
import stat
import sys

import pytest

from qwen_audio.score import compute
from qwen_audio.score.ptb import tokenize

needs_java = pytest.mark.skipif(not shutil.which("java"), reason="no Java runtime")
REFS = {"a": ["a dog"], "b": ["a cat"]}
HYPS = {"a": "A dog.", "b": "A cat!"}


@needs_java
def test_tokens_are_those_of_pycocoevalcap():
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    captions = {"a": ["It's a dog, barking (loudly)!", 'café: "birds" sing...'], "b": ["Rain - heavy; don't"]}
    rows = {utt: [{"caption": text} for text in texts] for utt, texts in captions.items()}
    assert tokenize(captions) == PTBTokenizer().tokenize(rows)


@needs_java
def test_an_empty_caption_keeps_its_place():
    assert tokenize({"a": ["", "One."], "b": ["\n"], "c": ["Two\nthree"]}) == {
        "a": ["", "one"],
        "b": [""],
        "c": ["two three"],
    }


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


def test_meteor_of_another_language_is_refused():
    with pytest.raises(ValueError, match="English only, not 'de'"):
        compute("meteor", REFS, HYPS, lang="de")


@pytest.mark.parametrize("metric", ["cider", "rouge_l", "meteor"])
def test_without_java_the_error_names_it(metric, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="need Java, which is not on the PATH: install"):
        compute(metric, REFS, HYPS)


@pytest.mark.parametrize("metric", ["spice", "spider"])
def test_spice_without_its_jars_is_an_error_and_never_a_number(metric, monkeypatch):
    monkeypatch.delenv("SPICE_JARS", raising=False)
    with pytest.raises(ValueError, match="SPICE needs stanford-corenlp-3.6.0.jar and .*-models.jar"):
        compute(metric, REFS, HYPS)


@needs_java
def test_spider_is_the_mean_of_cider_and_spice(monkeypatch, tmp_path):
    """A stand-in for the SPICE jar answers F-scores 0.2 and 0.4."""
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        (tmp_path / name).touch()
    answer = json.dumps(
        [{"image_id": utt, "scores": {"All": {"f": f}}} for utt, f in (("a", 0.2), ("b", 0.4))]
    )
    stand_in, real = tmp_path / "java", shutil.which("java")
    stand_in.write_text(
        f"#!{sys.executable}\nimport sys, os, pathlib\n"
        f"if 'edu.anu.spice.SpiceScorer' not in sys.argv: os.execv({real!r}, sys.argv)\n"
        f"pathlib.Path(sys.argv[sys.argv.index('-out') + 1]).write_text({answer!r})\n"
    )
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("SPICE_JARS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = compute("spider", REFS, HYPS)
    assert (found["spice"], found["cider"]) == (pytest.approx(0.3), pytest.approx(5))
    assert found["score"] == pytest.approx(2.65)
