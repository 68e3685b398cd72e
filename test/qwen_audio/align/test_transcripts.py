import shutil

import numpy as np
import pytest
import soundfile

from qwen_audio.align.transcripts import Transcript, read_transcripts
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
WORDS = [[0.0, 1.0, "oui"]]


def said(data, language=None):
    return [(t.utt, t.language, t.text, t.reason) for t in read_transcripts(data, TASKS, language)]


def example(utt, task, lang, **fields):
    return {"utt": utt, "task": task, "audio_lang": lang, "text_lang": lang, **fields}


def test_lines_of_text_and_rows_of_asr_are_transcripts_in_their_own_language(make_data):
    rows = [example("b", "asr", "fr", text="oui"), {"utt": "c", "task": "lid", "label": "French"}]
    data = make_data({"a": "yes", "b": None, "c": None}, rows, utt2lang={"a": "en", "b": "fr", "c": "fr"})
    assert said(data) == [("a", "en", "yes", ""), ("b", "fr", "oui", ""), ("c", "fr", None, "")]


def test_a_transcript_that_stands_in_text_and_in_a_row_comes_once(make_data):
    assert said(make_data({"a": "yes"}, [example("a", "asr", "en", text="yes")])) == [("a", "en", "yes", "")]


def test_a_chosen_language_leaves_out_the_others_and_is_that_of_what_has_no_transcript(make_data):
    data = make_data({"a": "yes", "b": "oui", "c": None}, utt2lang={"a": "en", "b": "fr", "c": "en"})
    assert said(data, "fr") == [("b", "fr", "oui", ""), ("c", "fr", None, "")]


def test_a_directory_without_any_label_has_utterances_without_transcript(make_data):
    assert said(make_data({"a": None})) == [("a", "en", None, "")]


def test_word_times_from_elsewhere_are_told_from_those_of_an_aligner(make_data):
    rows = [example("a", "srwt", "fr", words=WORDS), example("b", "srwt", "fr", words=WORDS, aligner="model")]
    data = make_data({"a": "oui", "b": "oui"}, rows, utt2lang={"a": "fr", "b": "fr"})
    assert [(t.timed, t.reason) for t in read_transcripts(data, TASKS)] == [(True, ""), (False, "")]


def test_an_empty_text_is_told_and_not_taken_for_none(make_data):
    assert said(make_data({"a": ""})) == [("a", "en", None, "empty text: task asr")]


def test_a_segment_names_its_recording_and_its_place_in_it(make_data, clip):
    cuts = {"a": "rec 0.5 1.5", "b": "rec 1.0 -1", "c": "gone 0 1"}
    a, b, c = read_transcripts(make_data(dict.fromkeys(cuts, "yes"), segments=cuts), TASKS)
    assert (a.recording, a.audio, a.start, a.end) == ("rec", str(clip[0]), 0.5, 1.5)
    assert (b.start, b.end) == (1.0, -1.0)
    assert c.reason == "no audio: recording gone is not in wav.scp"


def test_a_segment_is_cut_out_of_its_recording(tmp_path):
    ramp = np.arange(32000, dtype=np.int16)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000)
    for end, stop in ((1.5, 24000), (-1, 32000), (2.05, 32000)):
        transcript = Transcript("u", "r", str(tmp_path / "ramp.wav"), 0.5, end, "yes", "en")
        assert (transcript.wave() * 32768 == ramp[8000:stop]).all()
        assert transcript.seconds() == (stop - 8000) / 16000


def test_segments_in_a_row_run_the_command_of_their_recording_once(tmp_path):
    ramp = np.arange(32000, dtype=np.int16)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000)
    command = f"echo >> {tmp_path}/ran; cat {tmp_path}/ramp.wav |"
    for start in (0.25, 0.5):
        transcript = Transcript("u", "r", command, start, 1.5, "yes", "en")
        assert transcript.seconds() == 1.5 - start
        assert (transcript.wave() * 32768 == ramp[round(start * 16000) : 24000]).all()
    assert (tmp_path / "ran").read_text() == "\n"


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
def test_a_segment_is_cut_out_of_what_ffmpeg_alone_reads(tmp_path, ffmpeg):
    ramp = np.arange(32000, dtype=np.int16)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000)
    path = ffmpeg(tmp_path / "ramp.wav", "-c:a", "alac", tmp_path / "ramp.m4a")
    transcript = Transcript("u", "r", str(path), 0.5, 2.05, "yes", "en")
    assert (transcript.wave() * 32768 == ramp[8000:]).all() and transcript.seconds() == 1.5


@pytest.mark.parametrize(
    "start, end, said", [(0.5, 2.2, "segment past the end"), (None, None, "too long: 31")]
)
def test_what_has_no_times_is_refused(tmp_path, start, end, said):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000 * (2 if start else 31)), 16000)
    with pytest.raises(ValueError, match=said):
        Transcript("u", "r", str(tmp_path / "a.wav"), start, end, "yes", "en").wave()
