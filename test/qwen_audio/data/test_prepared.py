import json
import re

import pytest

from qwen_audio.data.prepared import PreparedSet, at_even_distance


@pytest.fixture
def prepared(tmp_path):
    (tmp_path / "wav.scp").write_text("a\u30001 /one two.wav\nb x.ark:7\n", encoding="utf-8")
    (tmp_path / "utt2num_samples").write_text("a\u30001 16000\nb 8\n", encoding="utf-8")
    rows = [
        {"utt": "a\u30001", "task": "asr"},
        {"utt": "a\u30001", "task": "lid"},
        {"utt": "b", "task": "asr"},
    ]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PreparedSet(tmp_path)


def test_audio_and_lengths_are_known_by_utterance(prepared):
    assert prepared.audio == {"a\u30001": "/one two.wav", "b": "x.ark:7"}
    assert prepared.samples == {"a\u30001": 16000, "b": 8}
    assert prepared.seconds == {"a\u30001": 1.0, "b": 0.0005}


def test_rows_are_those_of_the_tasks_asked_for(prepared):
    assert [row["task"] for row in prepared.rows()] == ["asr", "lid", "asr"]
    assert [row["utt"] for row in prepared.rows({"asr"})] == ["a\u30001", "b"]


def test_a_set_of_features_says_how_audio_is_kept(prepared):
    (prepared.folder / "wav.scp").rename(prepared.folder / "feats.scp")
    message = (
        f"{prepared.folder}/wav.scp is missing; audio is needed here: prepare the set with --feats_type raw"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        prepared.audio  # noqa: B018
    assert len(list(prepared.rows())) == 3


def test_examples_are_picked_by_place():
    assert at_even_distance(list("abcdefghi"), 5) == ["a", "c", "e", "g", "i"]
    assert at_even_distance(["a", "b"], 5) == ["a", "b"]
    assert at_even_distance(["a", "b"], 1) == ["a"]
