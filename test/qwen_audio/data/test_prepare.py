import json

import numpy as np
import pytest
import soundfile

from qwen_audio.audio import SAMPLE_RATE, read_audio
from qwen_audio.data import format_audio
from qwen_audio.data.prepare import prepare
from qwen_audio.ffmpeg import any_audio
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()


def test_a_clip_is_written_as_16_khz_mono_flac_with_its_lists(corpus):
    wave = corpus.add("a")
    summary = corpus.run()
    (path,) = corpus.table("wav.scp").values()
    info = soundfile.info(path)
    assert (info.format, info.samplerate, info.channels) == ("FLAC", SAMPLE_RATE, 1)
    np.testing.assert_allclose(read_audio(path), wave, atol=1e-4)
    assert corpus.table("utt2num_samples") == {"a": "16000"} and corpus.table("utt2spk") == {"a": "s"}
    row = {"utt": "a", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "hello"}
    assert json.loads((corpus.target / "examples.jsonl").read_text()) == row
    assert summary == json.loads((corpus.target / "summary.json").read_text())
    assert summary["read"] == summary["used"] == {"utterances": 1, "examples": 1}
    assert summary["seconds"] == 1.0 and corpus.leftovers() == []


def test_a_recording_is_decoded_once_for_all_its_segments_whatever_their_order(corpus, monkeypatch):
    for name in ("r1", "r2"):
        corpus.audio(name, 2.0)
    for number in range(6):
        corpus.segment(f"u{number}", f"r{1 + number % 2}", number / 10, number / 10 + 0.5)
    decoded = []
    monkeypatch.setattr(format_audio, "any_audio", lambda spec: decoded.append(spec) or any_audio(spec))
    corpus.run()
    assert decoded == [corpus.files["wav.scp"]["r1"], corpus.files["wav.scp"]["r2"]]
    assert list(corpus.table("wav.scp")) == [f"u{number}" for number in range(6)]


@pytest.mark.parametrize("options", [{}, {"audio_format": "wav.ark"}], ids=["flac", "ark"])
def test_any_number_of_processes_writes_the_same_bytes(corpus, options):
    for number in range(9):
        corpus.add(f"u{number}", seconds=0.2 + number / 10, rate=8000 if number % 3 else SAMPLE_RATE)
    corpus.add("x", seconds=0.01)
    corpus.run(**options)
    alone = {path.name: path.read_bytes() for path in corpus.target.rglob("*") if path.is_file()}
    corpus.run(nj=2, **options)
    assert {path.name: path.read_bytes() for path in corpus.target.rglob("*") if path.is_file()} == alone


def test_a_fault_of_a_file_is_found_before_any_audio_and_leaves_nothing(corpus, monkeypatch):
    corpus.add("a")
    (corpus.data / "examples.jsonl").write_text('{"utt": "a", "task": "sce"}\n')
    monkeypatch.setattr(format_audio, "any_audio", None)
    with pytest.raises(ValueError, match="examples.jsonl:1: unknown task 'sce'"):
        corpus.run()
    assert not corpus.target.exists() and corpus.leftovers() == []


def test_a_second_run_replaces_the_first(corpus):
    corpus.add("a")
    corpus.run(audio_format="wav.ark")
    corpus.run()
    assert not list(corpus.target.glob("*.ark")) and corpus.leftovers() == []


def test_a_run_that_fails_leaves_the_one_before(corpus):
    corpus.add("a")
    corpus.run()
    corpus.files["wav.scp"]["a"] = "/no/where.wav"
    with pytest.raises(ValueError, match="missing file"):
        corpus.run()
    assert list(corpus.table("wav.scp")) == ["a"] and corpus.leftovers() == []


def test_what_a_killed_run_left_behind_is_cleared(corpus):
    corpus.add("a")
    part = corpus.target.parent / ".set.part"
    part.mkdir(parents=True)
    (part / "wav.7.ark").write_bytes(b"half")
    corpus.run()
    assert not (corpus.target / "wav.7.ark").exists() and corpus.leftovers() == []


def test_a_folder_that_is_no_dump_is_never_replaced(corpus):
    corpus.add("a")
    corpus.target.mkdir(parents=True)
    (corpus.target / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="exists and was not written by this command"):
        corpus.run()
    assert (corpus.target / "thesis.tex").exists()


def test_a_dump_is_a_data_directory_that_can_be_prepared_again_but_not_onto_itself(corpus):
    wave = corpus.add("a")
    corpus.run()
    with pytest.raises(ValueError, match="would be written over itself"):
        prepare(corpus.target, corpus.target, TASKS)
    arks = corpus.folder / "arks"
    prepare(corpus.target, arks, TASKS, audio_format="wav.ark")
    np.testing.assert_allclose(read_audio((arks / "wav.scp").read_text().split()[1]), wave, atol=1e-4)
    assert (arks / "examples.jsonl").read_text() == (corpus.target / "examples.jsonl").read_text()


def test_the_licence_goes_with_the_audio(corpus):
    corpus.add("a")
    (corpus.data / "licence.txt").write_text("CC0")
    corpus.run()
    assert (corpus.target / "licence.txt").read_text() == "CC0"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"feats_type": "mfcc"}, "--feats_type is 'mfcc'; write one of raw, fbank"),
        ({"audio_format": "mp3"}, "--audio_format is 'mp3'; write one of flac, wav.ark"),
        ({"nj": 0}, "--nj is 0"),
        ({"min_seconds": 5, "max_seconds": 3}, "keep no utterance"),
    ],
)
def test_a_wrong_option_is_named(corpus, options, words):
    with pytest.raises(ValueError, match=words):
        corpus.run(**options)
