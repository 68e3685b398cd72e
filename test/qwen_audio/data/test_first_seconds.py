import json

import numpy as np
import soundfile

from qwen_audio.data.first_seconds import first_seconds
from qwen_audio.data.prepare import prepare
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
ENGLISH = {"utt": "a", "audio_lang": "en", "text_lang": "en"}


def kept(task, seconds=2.0, **fields):
    return first_seconds({**ENGLISH, "task": task, **fields}, TASKS[task], seconds)


def test_words_that_end_behind_the_cut_are_left_out():
    words = [[0.1, 0.5, "one"], [1.6, 2.0, "two"], [1.9, 2.1, "three"], [2.5, 3.0, "four"]]
    assert kept("srwt", words=words)["words"] == words[:2]


def test_a_segment_that_goes_on_ends_at_the_cut_and_a_later_one_is_left_out():
    turns = [[0.0, 3.0, "1"], [0.5, 1.0, "2"], [2.0, 2.5, "1"]]
    assert kept("sd", segments=turns)["segments"] == [[0.0, 2.0, "1"], [0.5, 1.0, "2"]]


def test_what_has_no_times_stays_whole():
    assert kept("asr", text="one two three")["text"] == "one two three"
    assert kept("sec", label="rain")["label"] == "rain"


def test_what_is_malformed_stays_for_the_check_to_name():
    words = [["2.5", 3.0, "one"], [3.0, "two"], 7]
    assert kept("srwt", words=words)["words"] == words
    assert kept("srwt", words="one")["words"] == "one"


def test_a_set_to_be_scored_keeps_clip_and_words_up_to_the_limit_of_time_tokens(tmp_path):
    data = tmp_path / "x_test"
    data.mkdir()
    soundfile.write(tmp_path / "a.wav", np.full(16000 * 31, 0.1), 16000)
    words = [[0.1, 0.5, "one"], [30.2, 30.9, "two"]]
    rows = [{**ENGLISH, "task": "srwt", "words": words}]
    for name, text in {
        "wav.scp": f"a {tmp_path}/a.wav\n", "utt2spk": "a a\n", "text": "a one two\n",
        "examples.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }.items():  # fmt: skip
        (data / name).write_text(text)
    summary = prepare(data, tmp_path / "dump", TASKS, cut_longer=True)
    assert summary["used"] == summary["read"] == {"utterances": 1, "examples": 2}
    asr, srwt = map(json.loads, (tmp_path / "dump/examples.jsonl").read_text().splitlines())
    assert asr["text"] == "one two" and srwt["words"] == words[:1]


def test_words_none_of_which_is_kept_are_rejected_for_that_and_segments_become_none(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(16000 * 31, 0.1), 16000)
    late = [[30.1, 30.4, "late"]]
    rows = [{**ENGLISH, "task": "srwt", "words": late}, {"utt": "a", "task": "sed", "segments": late}]
    for name, text in {
        "wav.scp": f"a {tmp_path}/a.wav\n", "utt2spk": "a a\n",
        "examples.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    prepare(tmp_path, tmp_path / "dump", TASKS, cut_longer=True)
    assert (tmp_path / "dump/rejected.tsv").read_text() == (
        "example\ta:srwt\tnothing within the first 30 s: words of task srwt\n"
    )
    assert json.loads((tmp_path / "dump/examples.jsonl").read_text())["segments"] == []
