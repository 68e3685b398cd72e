import json

import numpy as np
import pytest
import soundfile

from qwen_audio.data.prepare import prepare
from qwen_audio.data.within_clip import within_clip
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
ENGLISH = {"audio_lang": "en", "text_lang": "en"}
LATE = "times past the end: {} hold {}, the clip ends at {:.3f} s; count them from its start"


def words(*items, utt="a"):
    return {"utt": utt, "task": "srwt", **ENGLISH, "words": [list(item) for item in items]}


def events(*items, utt="a"):
    return {"utt": utt, "task": "sed", "segments": [list(item) for item in items]}


def fitted(row, seconds=2.0):
    return within_clip(row, TASKS[row["task"]], seconds)


def test_what_ends_in_the_clip_stays_as_it_is():
    for row in (words((0.1, 0.5, "one"), (1.6, 2.0, "two")), events((0.0, 2.0, "dog"), (0.5, 1, "cat"))):
        assert fitted(row) == (row, "")
    asr = {"utt": "a", "task": "asr", **ENGLISH, "text": "one"}
    assert fitted(asr, 0.1) == (asr, "")


def test_an_end_that_the_rounding_of_time_tokens_explains_stays_as_it_is():
    row = words((1.6, 2.0, "two"))
    assert fitted(row, 1.9955) == (row, "")


@pytest.mark.parametrize("make", [words, events])
def test_an_end_that_is_a_little_late_becomes_the_clips(make):
    assert fitted(make((0.1, 0.5, "one"), (1.6, 2.09, "two"))) == (
        make((0.1, 0.5, "one"), (1.6, 2.0, "two")), ""
    )  # fmt: skip


@pytest.mark.parametrize("item", [(1.6, 2.11, "dog"), (12.0, 12.4, "dog"), (2.0, 2.05, "dog")])
def test_what_ends_later_or_begins_behind_the_clip_refuses_its_row(item):
    assert fitted(words((0.1, 0.5, "one"), item))[1] == LATE.format("words", list(item), 2)
    assert fitted(events((0.1, 0.5, "cat"), item))[1] == LATE.format("segments", list(item), 2)


@pytest.fixture
def data(tmp_path):
    """Function ({recording: seconds}, rows, {utterance: "recording start end"}) -> a data directory."""

    def make(recordings, rows, segments=()):
        folder = tmp_path / "x_test"
        folder.mkdir()
        tables = {"wav.scp": [], "utt2spk": []}
        for name, seconds in recordings.items():
            soundfile.write(tmp_path / f"{name}.wav", np.full(round(16000 * seconds), 0.1), 16000)
            tables["wav.scp"].append(f"{name} {tmp_path}/{name}.wav")
        tables["utt2spk"] = [f"{utt} s" for utt in dict.fromkeys(row["utt"] for row in rows)]
        if segments:
            tables["segments"] = [f"{utt} {where}" for utt, where in segments.items()]
        tables["examples.jsonl"] = [json.dumps(row) for row in rows]
        for name, lines in tables.items():
            (folder / name).write_text("".join(line + "\n" for line in lines))
        return folder

    return make


def kept(folder):
    return [json.loads(line) for line in (folder / "examples.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("feats_type", ["raw", "fbank"])
def test_times_of_the_recording_are_refused_where_segments_cut_it_and_counted(data, tmp_path, feats_type):
    rows = [words((0.1, 0.4, "one"), utt="a"), events((5.0, 6.0, "dog"), utt="a")]
    rows += [words((5.1, 5.4, "two"), utt="b")]
    folder = data({"r": 10.0}, rows, {"a": "r 0 1", "b": "r 5 6"})
    summary = prepare(folder, tmp_path / "dump", TASKS, feats_type)
    assert kept(tmp_path / "dump") == rows[:1]
    assert summary["used"] == {"utterances": 1, "examples": 1}
    assert summary["rejected"] == {"utterances": 1, "examples": 2}
    assert summary["reasons"] == {"times past the end": 1}
    one, two = LATE.format("segments", [5.0, 6.0, "dog"], 1), LATE.format("words", [5.1, 5.4, "two"], 1)
    assert (tmp_path / "dump/rejected.tsv").read_text().splitlines() == [
        f"example\ta:sed\t{one}", f"utterance\tb\t{two}", f"example\tb:srwt\t{two}"
    ]  # fmt: skip
    assert (tmp_path / "dump/utt2num_samples").read_text() == "a 16000\n"


def test_where_longer_clips_are_cut_a_shorter_one_is_held_to_its_own_end(data, tmp_path):
    """The event at 31 s is cut off with the audio of a, and is an error in b, which is no silence."""
    rows = [events((1.0, 3.0, "dog"), (31.0, 32.0, "cat"), utt="a"), events((31.0, 32.0, "cat"), utt="b")]
    summary = prepare(data({"a": 33.0, "b": 4.0}, rows), tmp_path / "dump", TASKS, cut_longer=True)
    assert kept(tmp_path / "dump") == [events((1.0, 3.0, "dog"), utt="a")]
    assert summary["reasons"] == {"times past the end": 1} and summary["cut"] == 1
