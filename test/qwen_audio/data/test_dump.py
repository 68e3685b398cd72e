import errno
import json
import os
import re
import subprocess

import pytest

from qwen_audio.data.prepare import report


def test_used_and_rejected_add_up_to_what_was_read(corpus):
    for utt in "abcd":
        corpus.add(utt, seconds=0.01 if utt == "b" else 1, text="" if utt in "cd" else "hi")
    corpus.files["text"]["zz"] = "without audio"
    rows = [("a", "dog"), ("a", ""), ("b", "cat"), ("c", "cow"), ("y", "nowhere")]
    lines = [json.dumps({"utt": utt, "task": "sec", "label": label}) + "\n" for utt, label in rows]
    (corpus.data / "examples.jsonl").write_text("".join(lines))
    summary = corpus.run()
    assert summary["read"] == {"utterances": 6, "examples": 10}
    assert summary["used"] == {"utterances": 2, "examples": 3}
    assert summary["rejected"] == {"utterances": 4, "examples": 7}
    kinds = [row[0] for row in corpus.rejected()]
    assert (kinds.count("utterance"), kinds.count("example")) == (4, 7)
    used = [json.loads(line) for line in (corpus.target / "examples.jsonl").read_text().splitlines()]
    assert [(row["utt"], row["task"]) for row in used] == [("a", "asr"), ("a", "sec"), ("c", "sec")]
    assert "read 6 utterances, 10 examples; used 2, 3 (0.00 h); rejected 4, 7" in report(summary)


def test_ids_that_are_no_file_names_get_files_of_their_own(corpus):
    corpus.audio("r", 1.0)
    for utt in ("a/b", "a%2Fb", "../c"):
        corpus.segment(utt, "r", 0, 0.5)
    corpus.run()
    paths = corpus.table("wav.scp").values()
    assert len(set(paths)) == 3
    assert {os.path.dirname(path) for path in paths} == {str(corpus.target / "audio/00000")}


def test_ids_too_long_for_a_file_name_get_shorter_ones_that_differ(corpus):
    corpus.audio("r", 1.0)
    ids = ["x" * 250, "x" * 251, "x" * 300, "中" * 100 + "a", "中" * 100 + "b"]
    for utt in ids:
        corpus.segment(utt, "r", 0, 0.5)
    corpus.run()
    places = corpus.table("wav.scp")
    assert sorted(places) == sorted(ids) and all(map(os.path.isfile, places.values()))
    assert len(set(places.values())) == len(ids)
    assert os.path.basename(places["x" * 250]) == "x" * 250 + ".flac"


def test_a_set_of_which_nothing_can_be_used_is_an_error_with_the_reason(corpus):
    for utt in "abc":
        corpus.add(utt, seconds=0.01 if utt == "a" else 40)
    with pytest.raises(ValueError, match="no utterance can be used; 2 have 'too long', the first is b: "):
        corpus.run()
    assert not corpus.target.exists()


@pytest.fixture
def small_disk(corpus):
    """Mounts a disk of so many kB and lets the set be written there."""
    disk = corpus.folder / "disk"
    disk.mkdir()
    mounted = []

    def mount(kilobytes: int) -> None:
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk]
        if subprocess.run(["mount", *options], capture_output=True).returncode:
            pytest.skip("mounting a small disk needs root")
        mounted.append(disk)
        corpus.target = disk / "set"

    yield mount
    for disk in mounted:
        subprocess.run(["umount", disk], check=True)  # fails if a file is left open


def full(corpus, **options) -> tuple[str, float]:
    """(file that did not fit, MB needed) of the message; nothing may be left behind."""
    with pytest.raises(OSError) as caught:
        corpus.run(**options)
    assert list(corpus.target.parent.iterdir()) == []
    message = str(caught.value)
    pattern = r"disk full while writing (\S+) after .* recordings; about (\S+) MB more is needed: .*"
    found = re.fullmatch(pattern, message)
    return os.path.relpath(found[1], corpus.target), float(found[2])


@pytest.mark.parametrize("audio_format, name", [("flac", "audio/00000/u..\\.flac"), ("wav.ark", "wav.0.ark")])
def test_a_full_disk_ends_with_the_file_and_what_is_needed(corpus, small_disk, audio_format, name):
    small_disk(400)
    for number in range(20):
        corpus.add(f"u{number:02d}")
    file, needed = full(corpus, audio_format=audio_format)
    assert re.fullmatch(name, file)
    assert 0.2 <= needed <= 0.6  # 20 s are 640 kB as int16, and noise cannot be compressed by much


@pytest.mark.parametrize("kilobytes, name", [(40, "."), (200, "examples.jsonl")])
def test_a_disk_too_small_for_the_lists_is_told_as_well(corpus, small_disk, kilobytes, name):
    small_disk(kilobytes)
    for number in range(20):
        corpus.add(f"u{number:02d}", form="flac", text=5000 * "x")
    file, needed = full(corpus)
    assert file == name
    assert 0.1 <= needed <= 0.2


def test_a_full_disk_is_recognised_without_a_mount(corpus, monkeypatch):
    corpus.add("a")

    def no_room(self, clip):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("qwen_audio.data.dump.DumpWriter.write_audio", no_room)
    with pytest.raises(OSError, match="disk full while writing .*/set after .* 0 of 1 recordings"):
        corpus.run()
    assert not corpus.target.exists() and corpus.leftovers() == []


def test_an_error_of_the_disk_that_is_not_a_full_one_stays_what_it_is(corpus, monkeypatch):
    corpus.add("a")

    def denied(*_):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("qwen_audio.data.dump.DumpWriter.write_audio", denied)
    with pytest.raises(PermissionError):
        corpus.run()
