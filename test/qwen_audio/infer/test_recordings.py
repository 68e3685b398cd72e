import os

import pytest

from qwen_audio.infer.recordings import (
    Recording,
    asked_since,
    listed_recordings,
    named_recordings,
    not_done,
    shard_of,
)


@pytest.fixture
def touch(tmp_path):
    """Function (name, time in seconds) that makes a file there and gives its path."""

    def make(name, at=0.0):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (at, at))
        return str(path)

    return make


def test_files_are_called_as_they_are_without_folder_and_suffix(touch):
    paths = [touch("one/a.wav"), touch("b.c.flac"), touch("one/a.wav")]
    found = [(each.name, each.audio, each.stem) for each in named_recordings(paths)]
    assert found == [("a", paths[0], "a"), ("b.c", paths[1], "b.c")]


def test_two_files_of_one_name_are_refused_and_scp_is_the_mend(touch):
    with pytest.raises(ValueError, match=r"a.wav and .*a.flac would both be written as a; .*: --scp wav.scp"):
        named_recordings([touch("a.wav"), touch("a.flac")])


def test_a_missing_file_is_named(touch, tmp_path):
    with pytest.raises(ValueError, match="--audio .*gone.wav: there is no such file"):
        named_recordings([touch("a.wav"), str(tmp_path / "gone.wav")])


def test_ids_of_a_list_name_what_is_written_whatever_the_files_are_called(tmp_path):
    (tmp_path / "wav.scp").write_text("one/a 1/a.wav\ntwo 2/a.wav\n")
    found = [(each.name, each.audio, each.stem) for each in listed_recordings(str(tmp_path / "wav.scp"))]
    assert found == [("one/a", "1/a.wav", "one%2Fa"), ("two", "2/a.wav", "two")]


def test_an_empty_list_is_refused(touch):
    with pytest.raises(ValueError, match="wav.scp lists no recording; write ID PATH lines"):
        listed_recordings(touch("wav.scp"))


def test_shards_share_a_list_without_leaving_any_out():
    listed = [Recording(str(number), "", "") for number in range(8)]
    shards = [[each.name for each in shard_of(listed, f"{i}/3")] for i in (1, 2, 3)]
    assert shards == [["0", "3", "6"], ["1", "4", "7"], ["2", "5"]]


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "1/4/2", "-1/4", "one/4"])
def test_what_is_no_shard_is_refused(shard):
    with pytest.raises(ValueError, match=f"--shard is '{shard}'; write I/N with I from 1 to N"):
        shard_of([], shard)


@pytest.mark.parametrize(
    "times, done",
    [
        ({"a.txt": 20, "a.srt": 20}, True),
        ({"a.txt": 20}, False),
        ({"a.txt": 20, "a.srt": 9}, False),
        ({"a.txt": 20, "a.srt": 20, "a.wav": 21}, False),
    ],
    ids=["all stand", "one is missing", "one is of something else", "the audio is newer"],
)
def test_a_recording_is_done_if_its_files_stand_and_are_newer_than_what_they_come_from(
    touch, tmp_path, times, done
):
    for name, at in {"a.wav": 5, **times}.items():
        touch(name, at)
    recording = Recording("a", str(tmp_path / "a.wav"), "a")
    assert not_done([recording], tmp_path, ["txt", "srt"], since=10) == ([] if done else [recording])


def test_of_a_recording_that_was_taken_away_since_the_transcript_stands(touch, tmp_path):
    touch("a.txt", 20)
    assert not_done([Recording("a", str(tmp_path / "a.wav"), "a")], tmp_path, ["txt"], since=10) == []


def test_transcripts_are_others_as_soon_as_others_are_asked_for(touch, tmp_path):
    touch("model/model.safetensors", 5)
    asked_since(tmp_path, {"language": "en"}, str(tmp_path / "model"))
    os.utime(tmp_path / "asked.yaml", (10, 10))
    assert asked_since(tmp_path, {"language": "en"}, str(tmp_path / "model")) == 10
    touch("model/model.safetensors", 15)
    assert asked_since(tmp_path, {"language": "en"}, str(tmp_path / "model")) == 15
    assert asked_since(tmp_path, {"language": "es"}, str(tmp_path / "model")) > 15
