import dataclasses
import json

import pytest

from qwen_audio.infer.own_words import own_words


@pytest.fixture
def decoded(tmp_path):
    """Function (rows, model) -> a folder as `qwen-audio decode` leaves it."""

    def write(rows, model="here 1 2"):
        lines = [
            json.dumps({"utt": u, "task": t, "audio_lang": a, "text_lang": x, "hyp": h})
            for u, t, a, x, h in rows
        ]
        (tmp_path / "hyp.jsonl").write_text("\n".join(lines) + "\n")
        (tmp_path / "summary.json").write_text(json.dumps({"of": {"model": model}}))
        return tmp_path

    return write


ROWS = [
    ("a", "asr", "en", "en", " Please wait. "),
    ("a", "srwt", "en", "en", "<|0.00|>Please<|0.40|><|0.40|>wait.<|0.80|>"),
    ("a", "s2tt", "en", "es", "Espere."),
    ("b", "srwt", "en", "en", "<|0.00|>go<|0.40|><|0.50|>on<|0.80|>"),
    ("c", "srwt", "zh", "zh", "<|0.00|>知<|0.40|><|0.50|>道<|0.80|>"),
    ("d", "srwt", "en", "en", ""),
]


def with_head(loaded, head):
    return dataclasses.replace(
        loaded, config={**loaded.config, "timestamp_head": head, "timestamp_head_conf": {}}
    )


def test_the_transcript_is_that_of_asr_and_without_one_the_words_that_were_aligned(loaded, decoded):
    found = own_words(decoded(ROWS), with_head(loaded, "attention"), "here 1 2")
    assert found == {
        ("a", "en"): "Please wait.",
        ("b", "en"): "go on",
        ("c", "zh"): "知道",
        ("d", "en"): "",
    }


@pytest.mark.parametrize("head", ["tokens", None])
def test_words_that_the_decoder_wrote_with_times_are_no_transcript(loaded, decoded, head):
    assert own_words(decoded(ROWS), with_head(loaded, head), "here 1 2") == {("a", "en"): "Please wait."}


def test_what_other_weights_decoded_is_not_taken_and_that_is_said(loaded, decoded, capsys):
    assert own_words(decoded(ROWS, "here 1 3"), loaded, "here 1 2") == {}
    assert "hyp.jsonl is of other weights" in capsys.readouterr().out


def test_where_nothing_was_decoded_there_are_none(loaded, tmp_path):
    assert own_words(tmp_path, loaded, "here 1 2") == {}
