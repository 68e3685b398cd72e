import subprocess
import sys

import pytest

from qwen_audio.score import METRICS, compute, metric_name
from qwen_audio.score.normalise import normaliser
from qwen_audio.task_spec import load_tasks


def test_unknown_metric_names_the_nearest():
    with pytest.raises(ValueError, match="'werr' is unknown; did you mean 'wer'"):
        compute("werr", {"a": ["x"]}, {"a": "x"})


def test_unknown_protocol_names_those_of_the_metric():
    with pytest.raises(
        ValueError, match="protocol 'bert' is unknown to wer; write one of qwen_audio, whisper"
    ):
        compute("wer", {"a": ["x"]}, {"a": "x"}, "bert")


def test_an_utterance_without_hypothesis_is_named():
    with pytest.raises(ValueError, match=r"2 utterances \(b, c\) without a hypothesis"):
        compute("wer", {"a": ["x"], "b": ["x"], "c": ["x"]}, {"a": "x"})


def test_an_utterance_without_reference_is_named():
    with pytest.raises(ValueError, match=r"1 utterance \(b\) without a reference"):
        compute("wer", {"a": ["x"]}, {"a": "x", "b": "x"})


def test_many_names_are_cut_after_five():
    with pytest.raises(ValueError, match=r"9 utterances \(u1, u2, u3, u4, u5, …\)"):
        compute("wer", {f"u{i}": ["x"] for i in range(10)}, {"u0": "x"})


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="nothing to score"):
        compute("wer", {}, {})


def test_every_metric_of_every_task_file_is_known():
    for spec in load_tasks().values():
        for entry in spec.metrics:
            metric = METRICS[metric_name(entry)]
            assert entry.get("protocol", metric.protocols[0]) in metric.protocols


def test_the_first_protocol_is_the_default():
    assert compute("wer", {"a": ["x"]}, {"a": "x"})["protocol"] == "qwen_audio"


def test_text_metrics_do_not_import_torch():
    code = """
import sys
from qwen_audio.score import compute
for name in ("wer", "cer", "bleu", "accuracy", "note_pitch", "aas"):
    text = "<|0.00|><|pitch|><|midi_pitch_1|><|0.10|>"
    compute(name, {"a": [text]}, {"a": text}, "whisper" if name == "wer" else None)
sys.exit("torch" in sys.modules or "transformers" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_whisper_normalises_english_spelling_and_numbers_only_for_english():
    assert normaliser("whisper", "en")("The colour of twenty-one cats.") == "the color of 21 cats"
    assert normaliser("whisper", "fr")("Vingt et un, déjà!") == "vingt et un déjà"


def test_a_tag_between_two_words_is_a_space_under_both_protocols():
    for protocol in ("qwen_audio", "whisper"):
        assert normaliser(protocol, "en")("<|0.00|>red<|0.50|><|0.60|>cat<|0.90|>") == "red cat"
