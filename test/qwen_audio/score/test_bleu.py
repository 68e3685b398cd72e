import math

import pytest
import sacrebleu

from qwen_audio.score import compute
from qwen_audio.score.registry import Absent


def bleu(refs, hyps, lang="en"):
    refs = {str(i): [r] if isinstance(r, str) else r for i, r in enumerate(refs)}
    return compute("bleu", refs, {str(i): h for i, h in enumerate(hyps)}, lang=lang)


def test_chinese_is_cut_into_characters():
    found = bleu(["我喜欢猫"], ["我喜欢狗"], "zh")
    # precisions 3/4, 2/3, 1/2 and, smoothed, (1/2)/1: the fourth root of 1/8
    assert found["score"] == pytest.approx(100 * (1 / 8) ** 0.25)
    assert "tok:zh" in found["signature"]


def test_japanese_is_cut_into_words():
    found = bleu(["私は猫が好きです"], ["私は犬が好きです"], "ja")  # 私 は 猫 が 好き です
    # precisions 5/6, 3/5, 1/4 and, smoothed, (1/2)/3
    assert found["score"] == pytest.approx(100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25)
    assert "tok:ja-mecab" in found["signature"]


@pytest.mark.parametrize("lang, kind", [("yue", "zh"), ("th", "char"), ("my", "char"), ("hi", "13a")])
def test_the_tokenizer_follows_how_a_language_is_written(lang, kind):
    assert f"tok:{kind}" in bleu(["ab cd ef gh"], ["ab cd ef gh"], lang)["signature"]


def test_english_13a_would_see_no_match_in_chinese():
    assert bleu(["我喜欢猫"], ["我喜欢狗"], "en")["score"] == pytest.approx(0)


def test_it_is_the_corpus_score_of_sacrebleu():
    refs = ["the cat sat on the mat", "it is raining again today , he said", "Yes ."]
    hyps = ["the cat sat on a mat", "it rains again today , he said", "yes ."]
    assert bleu(refs, hyps)["score"] == pytest.approx(sacrebleu.corpus_bleu(hyps, [refs]).score)


def test_an_utterance_may_have_fewer_references_than_another():
    text = "a b c d e f"
    found = bleu([["x y z", text], [text]], [text, "a b"])
    assert found["ref_length"] == 12  # the one that is absent does not count as an empty, nearer one
    assert found["brevity_penalty"] == pytest.approx(math.exp(1 - 12 / 8))


def test_case_counts():
    assert bleu(["One Two Three Four"], ["one two three four"])["score"] == pytest.approx(0)


def test_empty_output_scores_nothing():
    assert bleu(["a b c d"], [""])["score"] == 0


def test_japanese_without_mecab_names_the_package(monkeypatch):
    from sacrebleu.metrics import bleu as module

    def without_mecab(name):
        raise RuntimeError("no MeCab")

    monkeypatch.setattr(module, "_get_tokenizer", without_mecab)
    with pytest.raises(Absent, match=r"needs MeCab: pip install 'sacrebleu\[ja\]'"):
        bleu(["猫"], ["猫"], "ja")
