import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwen_audio.score import whisper_baseline
from qwen_audio.score.whisper_baseline import decode_with_whisper

TINY = Path(__file__).resolve().parents[3] / "tools/backbones/whisper-tiny.en"


@pytest.fixture
def dump(tmp_path):
    """Clips a (English), b (Spanish) and c (no speech task) of one second."""
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(16000, dtype=np.float32), 16000)
    (tmp_path / "wav.scp").write_text("".join(f"{name} {tmp_path / name}.wav\n" for name in "abc"))
    rows = [{"utt": "a", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "one two"},
            {"utt": "b", "task": "asr", "audio_lang": "es", "text_lang": "es", "text": "uno"},
            {"utt": "c", "task": "sec", "label": "rain"}]  # fmt: skip
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Takes the place of the network; lists the clips of each call."""
    seen = []

    def transcribe(model, clips, *_):
        seen.append(dict(clips))
        return [
            {"utt": utt, "task": "asr", "audio_lang": x, "text_lang": x, "hyp": "é"}
            for utt, x in clips.items()
        ]

    monkeypatch.setattr(whisper_baseline, "_transcribe", transcribe)
    monkeypatch.setattr(whisper_baseline, "_languages", lambda model: {"en": "en"})
    return seen


def test_an_english_model_takes_the_english_speech_alone(dump, calls):
    assert decode_with_whisper("tiny.en", dump, dump / "out")
    assert calls == [{"a": "en"}]
    assert json.loads((dump / "out/hyp.jsonl").read_text())["hyp"] == "é"


def test_a_second_call_decodes_nothing(dump, calls):
    decode_with_whisper("tiny.en", dump, dump / "out")
    decode_with_whisper("tiny.en", dump, dump / "out")
    assert len(calls) == 1


def test_another_model_or_set_is_decoded_anew(dump, calls):
    decode_with_whisper("tiny.en", dump, dump / "out")
    decode_with_whisper("base.en", dump, dump / "out")
    (dump / "wav.scp").write_text((dump / "wav.scp").read_text().replace("a.wav", "b.wav"))
    decode_with_whisper("base.en", dump, dump / "out")
    assert len(calls) == 3


def test_a_set_is_decoded_anew_where_other_audio_stands_in_the_same_file(dump, calls):
    decode_with_whisper("tiny.en", dump, dump / "out")
    soundfile.write(dump / "a.wav", np.zeros(8000, dtype=np.float32), 16000)
    decode_with_whisper("tiny.en", dump, dump / "out")
    assert len(calls) == 2


def test_a_set_without_clips_for_the_model_writes_nothing(dump, calls):
    (dump / "examples.jsonl").write_text('{"utt": "c", "task": "sec", "label": "rain"}\n')
    assert not decode_with_whisper("tiny.en", dump, dump / "out")
    assert not (dump / "out").exists()


def test_a_set_of_features_is_refused(dump):
    (dump / "wav.scp").unlink()
    with pytest.raises(ValueError, match="wav.scp is missing; .* prepare the set with --feats_type raw"):
        decode_with_whisper("tiny.en", dump, dump / "out")


def test_a_clip_above_30_seconds_is_cut_there(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000 * 65, dtype=np.int16), 8000)
    found = list(whisper_baseline._windows({"a": "en"}, {"a": str(tmp_path / "a.wav")}))
    assert found == [("a", 0), ("a", 480000), ("a", 960000)]


@pytest.mark.skipif(
    not TINY.is_dir() or not shutil.which("espeak-ng"), reason="no Whisper model or no espeak-ng"
)
def test_whisper_writes_what_espeak_says(dump):
    subprocess.run(["espeak-ng", "-w", dump / "a.wav", "one two three four five"], check=True)
    assert decode_with_whisper(str(TINY), dump, dump / "out", num_threads=1)
    row = json.loads((dump / "out/hyp.jsonl").read_text())
    text = row["hyp"].lower().replace(",", "").rstrip(".")
    assert text in ("one two three four five", "1 2 3 4 5")
    assert row["tokens"] > 0
