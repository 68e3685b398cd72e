import numpy as np
import pytest

import qwen_audio.timestamp.head as head_module
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.search import Hypothesis
from qwen_audio.registry import component_class
from qwen_audio.timestamp.tokens import Tokens


class Says:
    """Stands in for Clips: the model's answer is given."""

    def __init__(self, answer, heard):
        self.given, self.heard = answer, heard

    def __call__(self, loaded, clips, samples, prompts):
        self.loaded = loaded
        self.heard.update(samples=samples, prompt=loaded.tokenizer.decode(prompts[0]))
        return self

    def answer(self, which, prompts, grammar, options):
        return [self.given]


def loaded_with(tokenizer, tasks=("asr", "srwt")):
    return LoadedModel(None, tokenizer, {}, list(tasks))


def test_words_come_with_seconds_and_the_mean_probability_of_their_tokens(tiny_tokenizer, monkeypatch):
    t = tiny_tokenizer.token_id
    go, stop = [tiny_tokenizer.encode(letter)[0] for letter in "go"], tiny_tokenizer.encode("X")
    tokens = [t("<|0.12|>"), *go, t("<|0.48|>"), t("<|0.50|>"), *stop, t("<|1.00|>")]
    chances = [0.9, 0.5, 0.25, 0.1, 0.3, 0.8, 0.7]
    answer = Hypothesis(tokens, np.log(chances).tolist(), 0.0, ended=True)
    heard = {}
    monkeypatch.setattr(head_module, "Clips", Says(answer, heard))
    words = Tokens().words(loaded_with(tiny_tokenizer), np.zeros(16000, np.float32), "es")
    assert [word[0] for word in words] == ["go", "X"]
    assert [word[1:3] for word in words] == [pytest.approx((0.12, 0.48)), pytest.approx((0.5, 1.0))]
    assert [word[3] for word in words] == [pytest.approx(0.375), pytest.approx(0.8)]
    assert heard["samples"] == [16000]
    assert "<|es|><|transcribe|><|es|><|timestamps|>" in heard["prompt"]


def test_of_shared_times_silence_is_no_word(tiny_tokenizer, monkeypatch):
    t = tiny_tokenizer.token_id
    go, stop = tiny_tokenizer.encode("g"), tiny_tokenizer.encode("X")
    tokens = [t("<|0.00|>"), t("<|sil|>"), t("<|0.54|>"), *go, t("<|0.86|>"), *stop, t("<|1.17|>")]
    answer = Hypothesis(tokens, np.log([1, 0.6, 0.9, 0.5, 0.1, 0.3, 0.8]).tolist(), 0.0, ended=True)
    monkeypatch.setattr(head_module, "Clips", Says(answer, {}))
    words = Tokens(shared=True).words(loaded_with(tiny_tokenizer), np.zeros(32000, np.float32))
    assert [word[0] for word in words] == ["g", "X"]
    assert [word[1:] for word in words] == [
        pytest.approx((0.54, 0.86, 0.5)),
        pytest.approx((0.86, 1.17, 0.3)),
    ]


def test_answers_that_did_not_end_are_counted(tiny_tokenizer, monkeypatch):
    head = Tokens()
    for kind in ({"ended": True}, {"ended": False}, {"ended": False, "looped": True}):
        monkeypatch.setattr(head_module, "Clips", Says(Hypothesis([], [], 0.0, **kind), {}))
        head.words(loaded_with(tiny_tokenizer), np.zeros(16000, np.float32))
        assert head.cut == ([] if kind["ended"] else [0])
    assert head.unfinished == 2 and Tokens().unfinished == 0


def test_a_model_without_the_task_is_refused(tiny_tokenizer):
    mend = r"this one knows asr, lid\. The head attention needs no training: --timestamp_head attention"
    with pytest.raises(ValueError, match=f"needs a model trained on srwt; {mend}"):
        Tokens().words(loaded_with(tiny_tokenizer, ["asr", "lid"]), np.zeros(16000, np.float32))


def test_it_is_the_head_that_its_name_in_yaml_stands_for():
    assert component_class("timestamp_head", "tokens") is Tokens
