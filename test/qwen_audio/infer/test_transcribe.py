import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from qwen_audio.cli import run
from qwen_audio.data import json_rows
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.recordings import named_recordings
from qwen_audio.infer.transcribe import (
    check_asked,
    check_formats,
    check_stems,
    load_speech_model,
    transcribe,
    write_hypotheses,
)
from qwen_audio.model_folder import export_model
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.head import TimestampHead

SPECS = load_tasks()
MODEL = SimpleNamespace(search=InferenceConfig(), model=SimpleNamespace(frontend=None))


class Loudness(TimestampHead):
    """Says of each clip one word: how long it is and, in percent, how loud."""

    def words(self, loaded, audio, language="en"):
        seconds = len(audio) / 16000
        return [(f"{language}{seconds:.1f}s{100 * np.abs(audio).max():.0f}", 0.0, seconds, 1.0)]


def write_all(head, paths, output, formats, language="en"):
    return transcribe(MODEL, head, named_recordings(paths), language, 28.0, output, formats)


@pytest.fixture
def recordings(tmp_path):
    """Function (name, seconds, level) that writes a recording there."""

    def record(name, seconds, level=0.5):
        soundfile.write(tmp_path / name, np.full(round(16000 * seconds), level, np.float32), 16000)
        return str(tmp_path / name)

    return record


def test_each_recording_is_written_in_each_format(recordings, tmp_path):
    paths = [recordings("a.wav", 1.0), recordings("b.flac", 2.0, 0.25)]
    summary = write_all(Loudness(), paths, tmp_path / "out", ["txt", "srt"], "es")
    names = ["a.srt", "a.txt", "b.srt", "b.txt", "rejected.tsv", "summary.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert [(tmp_path / "out" / f"{name}.txt").read_text() for name in "ab"] == ["es1.0s50\n", "es2.0s25\n"]
    expected = {"recordings": 2, "rejected": 0, "words": 2, "audio_seconds": 3.0}
    assert {key: summary[key] for key in expected} == expected
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    assert summary["real_time_factor"] == pytest.approx(summary["seconds"] / 3)


def test_what_cannot_be_read_is_rejected_with_its_reason_and_the_others_are_written(recordings, tmp_path):
    cut = recordings("cut.wav", 2.0)
    with open(cut, "r+b") as stream:
        stream.truncate(40000)
    paths = [cut, recordings("whole.wav", 1.0)]
    summary = write_all(Loudness(), paths, tmp_path / "out", ["txt"])
    assert (summary["recordings"], summary["rejected"]) == (1, 1)
    rows = [line.split("\t") for line in (tmp_path / "out" / "rejected.tsv").read_text().splitlines()]
    assert [row[:2] for row in rows] == [["cut", cut]] and "lacks 24044 bytes" in rows[0][2]
    assert not (tmp_path / "out" / "cut.txt").exists() and (tmp_path / "out" / "whole.txt").exists()


def test_if_nothing_can_be_read_the_first_reason_is_the_error(tmp_path):
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(ValueError, match="none of 1 recordings could be read: unreadable audio: .*a.wav"):
        write_all(Loudness(), [str(tmp_path / "a.wav")], tmp_path / "out", ["txt"])


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
def test_a_format_that_libsndfile_does_not_know_is_read_by_ffmpeg(recordings, ffmpeg, tmp_path):
    ffmpeg(recordings("a.wav", 2.0), tmp_path / "b.m4a")
    write_all(Loudness(), [str(tmp_path / "b.m4a")], tmp_path / "out", ["json"])
    seconds = json.loads((tmp_path / "out" / "b.json").read_text())["seconds"]
    assert seconds == pytest.approx(2.0, abs=0.13)


@pytest.mark.parametrize(
    "language, window, said",
    [
        ("eng", 28.0, "--language 'eng'; did you mean 'en'"),
        ("en", 9.0, "--window is 9; write 10 to 30 seconds"),
        ("en", 31.0, "--window is 31; write 10 to 30 seconds"),
    ],
)
def test_what_cannot_be_asked_is_said_before_a_model_is_loaded(language, window, said):
    with pytest.raises(ValueError, match=said):
        check_asked(language, window)


@pytest.mark.parametrize("name", ["summary.wav", "summary.2_of_4.wav"])
def test_a_recording_that_the_summary_would_be_written_over_is_refused_before_a_model_is_loaded(
    recordings, tmp_path, name
):
    path = recordings(name, 0.1)
    check_stems(named_recordings([path]), ["txt", "srt"])
    check_stems(named_recordings([recordings("my_summary.wav", 0.1)]), ["json"])
    arguments = ["--model", "exp/gone", "--audio", path, "--language", "en", "--output", str(tmp_path)]
    with pytest.raises(SystemExit, match=rf"{name}: its transcript and the summary would .*: --scp wav.scp"):
        run("decode", [*arguments, "--format", "txt", "json"])


def write_rows(folder, rows):
    about = {"audio_lang": "en", "text_lang": "en", "seconds": 2.0}
    rows = [{"utt": utt, "task": task, "hyp": hyp} | about for utt, task, hyp in rows]
    json_rows.write_rows(folder / "hyp.jsonl", rows)


def test_answers_with_times_are_written_in_every_format_and_transcripts_as_text(tmp_path):
    rows = [
        ("u/1", "srwt", "<|0.10|> go<|0.40|><|0.40|> on<|0.90|>"),
        ("u/1", "asr", " go  on"),
        ("u/1", "lid", "English"),
    ]
    write_rows(tmp_path, rows)
    assert write_hypotheses(tmp_path, ["txt", "ctm"], SPECS) == "3 files of words; 0 answers hold none"
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("*/*/*")}
    assert found == {
        "srwt/en/u%2F1.txt": "go on\n",
        "srwt/en/u%2F1.ctm": "u/1 1 0.100 0.300 go\nu/1 1 0.400 0.500 on\n",
        "asr/en/u%2F1.txt": "go on\n",
    }


def test_a_row_ends_at_a_newline_alone(tmp_path):
    write_rows(tmp_path, [("a", "asr", "go\u2028on\u0085now")])
    assert write_hypotheses(tmp_path, ["txt"], SPECS) == "1 files of words; 0 answers hold none"
    assert (tmp_path / "asr/en/a.txt").read_text() == "go on now\n"


def test_answers_without_words_are_counted(tmp_path):
    write_rows(tmp_path, [("a", "srwt", ""), ("b", "srwt", "go on"), ("c", "asr", " "), ("d", "lid", "")])
    assert write_hypotheses(tmp_path, ["txt"], SPECS) == "0 files of words; 3 answers hold none"


def test_formats_that_no_answer_can_be_written_in_are_refused_before_decoding():
    check_formats(["srt"], ["lid", "srwt"], SPECS)
    check_formats(["srt", "txt"], ["asr"], SPECS)
    for formats, tasks in ((["srt", "json"], ["asr", "lid"]), (["txt"], ["lid"])):
        with pytest.raises(
            ValueError, match=r"needs a task whose answer has words with times \(.*srwt.*\).*lid"
        ):
            check_formats(formats, tasks, SPECS)


@pytest.fixture(scope="module")
def model(loaded, ctc_tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    export_model(loaded.model, loaded.tokenizer, loaded.config, loaded.tasks, ctc_tokens, folder)
    return str(folder)


def test_the_command_transcribes_a_recording_with_the_models_timestamp_head(
    model, loaded, sounds, tmp_path, capsys
):
    soundfile.write(tmp_path / "a.wav", sounds[1], 16000, subtype="FLOAT")
    arguments = ["--model", model, "--audio", str(tmp_path / "a.wav"), "--language", "en"]
    run("decode", [*arguments, "--format", "json", "--output", str(tmp_path / "out")])
    expected = loaded.timestamp_head().words(loaded, sounds[1], "en")
    words = json.loads((tmp_path / "out" / "a.json").read_text())["words"]
    assert [(row["start"], row["end"]) for row in words] == [
        (pytest.approx(start), pytest.approx(end)) for text, start, end, _ in expected if text.strip()
    ]
    assert f"{len(words)} words in 1 recordings, 2 s of audio" in capsys.readouterr().out


@pytest.fixture
def decoded(model, recordings, tmp_path):
    """Function (config) -> text of a recording that the head attention heard."""

    def decode(config):
        (tmp_path / "decode.yaml").write_text(config)
        arguments = ["--model", model, "--audio", recordings("a.wav", 1.0), "--language", "en", "--output"]
        arguments += [str(tmp_path), "--timestamp_head", "attention"]
        run("decode", [*arguments, "--config", str(tmp_path / "decode.yaml")])
        return (tmp_path / "a.txt").read_text()

    return decode


def test_recordings_are_decoded_as_the_configuration_says_of_the_heads_task(decoded):
    greedy = decoded("tasks: {srwt: {beam_size: 4}}\n")
    assert greedy != decoded("tasks: {asr: {beam_size: 4, ctc_weight: 0.5}}\n")


def test_a_window_may_have_as_many_tokens_as_its_task_allows(decoded):
    assert decoded("tasks: {asr: {max_new_tokens: 1}}\n") == decoded("{}\n") != "\n"


def test_threads_of_the_configuration_are_used_for_recordings_too(decoded):
    before = torch.get_num_threads()
    try:
        decoded(f"num_threads: {before + 1}\n")
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_windows_that_were_not_written_to_their_end_are_counted(recordings, tmp_path, capsys):
    class Cut(Loudness):
        def words(self, loaded, audio, language="en"):
            self.unfinished += len(audio) > 20000
            return super().words(loaded, audio, language)

    paths = [recordings("a.wav", 1.0), recordings("b.wav", 2.0)]
    assert write_all(Cut(), paths, tmp_path / "out", ["txt"])["unfinished"] == 1
    said = [line for line in capsys.readouterr().out.splitlines() if "written to the end" in line]
    assert len(said) == 1 and said[0].startswith(f"{paths[1]}: 1 window(s) not written to the end")


def test_a_folder_of_pretrained_weights_is_taken_for_a_whisper_and_another_for_a_run(model, tiny_llm):
    assert load_speech_model(model, "cpu", "float32").tasks == ["asr", "srwt", "mna", "lid"]
    with pytest.raises(ValueError, match="is a llama, no Whisper"):
        load_speech_model(str(tiny_llm), "cpu", "float32")
    with pytest.raises(ValueError, match="config.yaml is missing; name the folder of a trained"):
        load_speech_model("exp/gone", "cpu", "float32")


@pytest.mark.parametrize("samples", [0, 1, 399, 1600])
def test_the_shortest_recordings_are_transcribed_too(loaded, tmp_path, samples):
    soundfile.write(tmp_path / "a.wav", np.full(samples, 0.5), 16000)
    summary = transcribe(
        loaded,
        loaded.timestamp_head(),
        named_recordings([str(tmp_path / "a.wav")]),
        "en",
        28.0,
        tmp_path,
        ["json"],
    )
    assert (summary["recordings"], summary["rejected"]) == (1, 0)
    words = json.loads((tmp_path / "a.json").read_text())["words"]
    assert all(row["end"] <= samples / 16000 + 0.01 for row in words)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--audio", "a.wav"], "--audio needs --language"),
        (["--audio", "a.wav", "--language", "en", "--tasks", "asr"], "--tasks goes with --sets"),
        (["--scp", "wav.scp"], "--scp needs --language"),
        (["--sets", "tokens", "--window", "20"], "--window goes with --audio or --scp"),
        (["--sets", "tokens", "--shard", "1/2"], "--shard goes with --audio or --scp"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(arguments, said, tmp_path):
    with pytest.raises(SystemExit, match=f"qwen-audio decode: {said}"):
        run("decode", ["--model", str(tmp_path), "--output", str(tmp_path), *arguments])


def test_an_unknown_timestamp_head_names_the_valid_ones(model, recordings, tmp_path):
    arguments = ["--model", model, "--audio", recordings("a.wav", 1.0), "--language", "en"]
    with pytest.raises(SystemExit, match="timestamp_head: unknown component 'token'; did you mean 'tokens'"):
        run("decode", [*arguments, "--timestamp_head", "token", "--output", str(tmp_path / "out")])
