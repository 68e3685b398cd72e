import json

import numpy as np
import pytest
import soundfile
import yaml

from qwen_audio.cli import run
from qwen_audio.timestamp.attention import Attended, Attention
from qwen_audio.timestamp.pick_heads import Clip, aas, pick, read_clips

STARTS = [0, 4, 9]  # frames of 0.1 s at which two words, and the end behind them, begin


def looks(starts, frames=12):
    """Attention that follows ``starts``: (3, frames)."""
    at = np.searchsorted(starts, np.arange(frames), side="right") - 1
    return np.where(np.arange(3)[:, None] == at, 1.0, -1.0)


def clip(heads):
    weights = np.stack([looks(starts) for starts in heads])
    attended = Attended(weights, [b"one", b" two"], np.ones(2), ["one", "two"], frame=0.1, end=1.2)
    return Clip(attended, np.array([[0.0, 0.4], [0.4, 0.9]]))


def test_the_aas_of_a_head_is_that_of_its_times_by_hand():
    """Off by 0, 0, 0 and 0.1 s: of two words 50 ms each; a head late throughout is only shifted."""
    clips = [clip([STARTS, [0, 4, 10], [0, 6, 11]])]
    assert aas(clips, [0]) == (pytest.approx(0), 0)
    assert aas(clips, [1]) == (pytest.approx(50), 0)
    assert aas(clips, [2]) == (pytest.approx(0), -0.2)


def test_the_best_head_is_found_and_one_that_does_not_help_is_left():
    alone, chosen = pick([clip([[0, 1, 11], STARTS, [0, 8, 10]])] * 2, count=3)
    assert min(range(3), key=alone.__getitem__) == 1
    assert chosen == [(1, pytest.approx(0))]


def test_heads_are_joined_where_they_are_better_together():
    """Each is wrong in one clip; the sum of both follows the sharper one, which is right."""
    sure, unsure = 3 * looks(STARTS), looks([0, 7, 8])
    clips = []
    for weights in (np.stack([sure, unsure]), np.stack([unsure, sure])):
        base = clip([STARTS])
        attended = Attended(weights, base.attended.tokens, np.ones(2), base.attended.words, 0.1, 1.2)
        clips.append(Clip(attended, base.spans))
    alone, chosen = pick(clips, count=2)
    assert min(alone) > 0 and [head for head, _ in chosen] == [0, 1] and chosen[-1][1] == pytest.approx(0)


@pytest.fixture
def prepared(tmp_path):
    """A set of two clips with word times, one of them with a silence among its words."""
    rows, scp = [], []
    words = {
        "a": [[0.0, 0.3, "please"], [0.3, 0.5, "<|sil|>"], [0.5, 1.0, "leave"]],
        "b": [[0.1, 0.9, "tone"]],
    }
    for utt, spans in words.items():
        noise = 0.1 * np.random.default_rng(len(utt)).standard_normal(16000)
        soundfile.write(tmp_path / f"{utt}.wav", noise, 16000)
        scp.append(f"{utt} {tmp_path / f'{utt}.wav'}\n")
        rows.append({"utt": utt, "task": "srwt", "audio_lang": "en", "text_lang": "en", "words": spans})
        rows.append({"utt": utt, "task": "lid", "label": "English"})
    (tmp_path / "wav.scp").write_text("".join(scp))
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_the_command_prints_lines_that_the_yaml_takes(prepared, whole_whisper, capsys):
    run("pick_heads", ["--model", f"whisper:{whole_whisper}", "--set", str(prepared), "--count", "2"])
    out = capsys.readouterr().out
    assert "2 clips, 3 words, 8 heads" in out
    config = yaml.safe_load(out[out.index("timestamp_head:") :])
    head = Attention(**config["timestamp_head_conf"])
    assert config["timestamp_head"] == "attention" and 1 <= len(head.heads) <= 2


def test_no_more_clips_are_heard_than_asked_for(prepared, whole_whisper, capsys):
    asked = ["--model", f"whisper:{whole_whisper}", "--set", str(prepared), "--clips"]
    run("pick_heads", [*asked, "1"])
    assert "1 clips, 2 words" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="--clips is 0; write 1 or more"):
        run("pick_heads", [*asked, "0"])


def test_a_set_without_such_examples_is_named(prepared):
    (prepared / "examples.jsonl").write_text('{"utt": "a", "task": "lid"}\n')
    with pytest.raises(ValueError, match="examples.jsonl has no example of srwt"):
        read_clips(None, prepared, "srwt", Attention())


def test_a_task_without_word_times_is_named(prepared):
    with pytest.raises(ValueError, match="--task asr has no word times; name one of srwt"):
        read_clips(None, prepared, "asr", Attention())


def test_a_set_of_features_is_refused(prepared):
    (prepared / "wav.scp").unlink()
    with pytest.raises(ValueError, match="wav.scp is missing; .* prepare the set with --feats_type raw"):
        read_clips(None, prepared, "srwt", Attention())
