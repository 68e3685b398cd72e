import importlib
import random

import jiwer
import pytest

from qwen_audio.score import compute


def wer(refs, hyps, protocol="qwen_audio", lang="en", metric="wer"):
    refs = {str(i): [r] if isinstance(r, str) else r for i, r in enumerate(refs)}
    return compute(metric, refs, {str(i): h for i, h in enumerate(hyps)}, protocol, lang)


def random_pairs(count, length=18):
    draw = random.Random(0)
    words = [f"w{i}" for i in range(50)]
    refs = [[draw.choice(words) for _ in range(length)] for _ in range(count)]
    hyps = [
        [draw.choice(words) if draw.random() < 0.2 else w for w in r if draw.random() > 0.1] for r in refs
    ]
    return [" ".join(r) for r in refs], [" ".join(h) for h in hyps]


def test_edits_are_summed_over_the_corpus_not_averaged_over_utterances():
    found = wer(["one", "a b c d e f g h i"], ["two", "a b c d e f g h i"])
    assert (found["errors"], found["words"], found["score"]) == (1, 10, 0.1)  # the mean of rates would be 0.5


def test_it_counts_as_jiwer_does():
    refs, hyps = random_pairs(200)
    found, other = wer(refs, hyps), jiwer.process_words(refs, hyps)
    assert found["score"] == pytest.approx(other.wer)
    assert found["errors"] == other.substitutions + other.deletions + other.insertions
    assert found["words"] == other.hits + other.substitutions + other.deletions


def test_parts_tell_substitution_deletion_and_insertion_apart():
    found = wer(["a b c d", "e"], ["a x c", "e f"])
    assert [found[k] for k in ("substitutions", "deletions", "insertions")] == [1, 1, 1]


def test_released_protocol_keeps_punctuation_and_ignores_case():
    assert wer(["Hello , world ."], ["hello, world."])["score"] == 0
    assert wer(["hello world"], ["hello, world."])["score"] == 1.0  # "hello," and "world." are other words


def test_whisper_protocol_drops_punctuation_and_fillers():
    assert wer(["um, the colour is 20 dollars"], ["The color is $20."], "whisper")["score"] == 0


def test_tags_are_spaces():
    assert wer(["one two"], ["<|en|>one<|0.50|>two<|endoftext|>"])["score"] == 0


def test_an_empty_reference_adds_errors_but_no_words():
    found = wer(["a b", "<|en|>"], ["a b", "c d e"])
    assert (found["score"], found["errors"], found["words"], found["empty_references"]) == (1.5, 3, 2, 1)


def test_without_any_reference_word_the_score_is_undefined():
    assert wer([""], ["a"])["score"] is None


def test_the_nearest_of_several_references_counts():
    found = wer([["a b c d", "x y"]], ["x y z"])
    assert (found["errors"], found["words"]) == (1, 2)


def test_chinese_is_counted_by_character_without_spaces():
    found = wer(["今天 天气 好。"], ["今天天汽好。"], lang="zh")
    assert (found["unit"], found["errors"], found["words"]) == ("character", 1, 6)


def test_chinese_under_whisper_drops_the_full_stop():
    assert wer(["今天天气好。"], ["今天天气好"], "whisper", "zh")["score"] == 0


def test_cer_of_english_counts_characters_without_white_space():
    found = wer(["ab cd"], ["abxd"], metric="cer")
    assert (found["unit"], found["errors"], found["words"]) == ("character", 1, 4)


@pytest.mark.parametrize("protocol", ["qwen_audio", "whisper"])
def test_a_sentence_that_recurs_is_normalised_once(protocol, monkeypatch):
    module, seen = importlib.import_module("qwen_audio.score.wer"), []
    normaliser = module.normaliser

    def counted(*args):
        clean = normaliser(*args)
        return lambda text: (seen.append(text), clean(text))[1]

    monkeypatch.setattr(module, "normaliser", counted)
    found = wer(["one two", "one two", "three"] * 100, ["one two", "one", "three"] * 100, protocol)
    assert (found["count"], found["errors"]) == (300, 100)
    assert sorted(seen) == ["one", "one two", "three"]
