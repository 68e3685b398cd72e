import argparse
import json

import music
import numpy as np
import pytest
import soundfile
from make_corpora import make_music

from qwen_audio.audio import AudioError, read_audio
from qwen_audio.data.leak import check_leak
from qwen_audio.task_spec import load_tasks

SETS = ("train", "valid", "test")


def prepare(folder, preset="default", data="data"):
    arguments = {"corpus": folder, "data": folder / data, "downloads": folder / "down", "preset": preset}
    music.main(argparse.Namespace(**arguments))
    return folder / data


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(make_music(tmp_path_factory.mktemp("music")))


def examples(data, task, name="*"):
    paths = data.glob(f"music_{name}/examples.jsonl")
    return [row for path in paths for row in map(json.loads, path.open()) if row["task"] == task]


def piece(row):
    return row["utt"].rpartition("-")[0]


def place(row):
    return int(row["utt"].rpartition("-")[2]) / 1000


def listed(data):
    lines = (data / "music_rejected.tsv").read_text().splitlines()
    return {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in lines}


def test_every_example_satisfies_its_task(prepared):
    tasks = load_tasks()
    for name in ("mr", "mgr", "smer", "mc"):
        assert examples(prepared, name)
        for row in examples(prepared, name):
            tasks[name].check(row)


def test_every_title_trained_on_is_tested_on_another_excerpt(prepared):
    train, test = examples(prepared, "mr", "train"), examples(prepared, "mr", "test")
    assert {row["label"] for row in train} == {row["label"] for row in test} > {"A Nebula", "Cold Day"}
    for row in test:
        assert all(
            abs(place(row) - place(other)) >= music.SECONDS for other in train if piece(other) == piece(row)
        )


@pytest.mark.parametrize("task", ["mgr", "smer", "mc"])
def test_a_piece_held_out_is_not_trained_on_for_any_task(prepared, task):
    trained = {line.split()[1] for line in (prepared / "music_train/utt2spk").open()}
    held = {piece(row) for name in ("valid", "test") for row in examples(prepared, task, name)}
    assert held and not held & trained


def test_wesnoths_genre_is_real_and_a_generated_pieces_style_is_synthetic(prepared):
    found = {
        (piece(row).split("-")[1], row["label"], row["label_origin"]) for row in examples(prepared, "mgr")
    }
    assert found == {
        ("wesnoth", "Romantic Classical", "real"),
        ("generated", "Acoustic", "synthetic"),
        ("generated", "Electronic", "synthetic"),
    }


def test_the_folder_is_the_mood_and_each_mood_is_in_every_split(prepared):
    for name in SETS:
        found = {(piece(row).split("-")[2], row["label"]) for row in examples(prepared, "smer", name)}
        assert found == {("calm", "calm"), ("energetic", "energetic")}


def test_a_caption_says_what_was_asked_for(prepared):
    found = {row["text"] for row in examples(prepared, "mc") if "calm-acoustic" in row["utt"]}
    assert found == {"a calm piece of acoustic music at a slow tempo"}
    wanted = "an energetic piece of electronic music at a fast tempo"
    assert music.caption("energetic", "electronic", 132) == wanted
    assert "moderate tempo" in music.caption("calm", "acoustic", 80)


def test_titles_of_two_pieces_silence_and_pieces_without_labels_are_listed(prepared):
    reasons = listed(prepared)
    assert (
        reasons["mr", "music-wesnoth-piece3"]
        == reasons["mr", "music-wesnoth-piece4"]
        == "title of two pieces"
    )
    assert reasons["excerpt", "music-singularity-A-Nebula-000000"] == "silent"
    assert reasons["piece", "music-wesnoth-silence"] == "no label, or shorter than an excerpt"
    assert reasons["mgr", "music-singularity-A-Nebula"] == "no genre tag"
    assert "Victory" not in {row["label"] for row in examples(prepared, "mr")}


def test_an_excerpt_is_its_piece_at_its_place(prepared):
    row = examples(prepared, "smer", "train")[1]
    table = dict(line.split() for line in (prepared / "music_train/wav.scp").open())
    samples, rate = soundfile.read(table[row["utt"]])
    stem = piece(row).removeprefix("music-generated-").replace("-", "_")
    (source,) = prepared.parent.rglob(f"{stem}.opus")
    first = round(place(row) * 16000)
    assert (len(samples), rate) == (80000, 16000) and first > 0
    np.testing.assert_allclose(samples, read_audio(str(source))[first : first + 80000], atol=2**-15)


@pytest.mark.parametrize(
    ("seconds", "split", "hop", "count", "starts"),
    [
        (40.0, "train", None, 8, [0, 5, 10, 15, 20, 25, 30, 35]),
        (75.0, "test", None, 8, [0, 10, 20, 30, 40, 50, 60, 70]),
        (11.0, "train", None, 8, [0, 5]),
        (11.0, "train", 2.5, 8, [0, 2.5, 5]),
        (11.0, "test", 2.5, 8, [0, 5]),
        (5.0, "train", None, 8, [0]),
    ],
)
def test_excerpts_begin_at(seconds, split, hop, count, starts):
    assert music.excerpt_starts(seconds, split, hop, count) == starts


def test_no_recording_leaks(prepared):
    held = [prepared / "music_valid", prepared / "music_test"]
    assert check_leak([prepared / "music_train"], held)["held_out_recordings"] >= 12


def test_the_second_run_decodes_nothing_and_gives_the_same(prepared, monkeypatch):
    before = {path: path.read_bytes() for path in prepared.rglob("*") if path.is_file()}
    monkeypatch.setattr(music, "read_audio", None)
    prepare(prepared.parent)
    assert before == {path: path.read_bytes() for path in prepared.rglob("*") if path.is_file()}


def test_more_excerpts_to_train_on_move_none_of_valid_and_test(prepared, monkeypatch):
    monkeypatch.setitem(music.EXCERPTS, "full", 10)
    full = prepare(prepared.parent, "full", "full")
    assert (full / "music_train/wav.scp").read_text() != (prepared / "music_train/wav.scp").read_text()
    for name in ("valid", "test"):
        assert (full / f"music_{name}/wav.scp").read_text() == (
            prepared / f"music_{name}/wav.scp"
        ).read_text()
    for row in examples(full, "mr", "train"):
        held = [other for other in examples(full, "mr", "test") if piece(other) == piece(row)]
        assert all(abs(place(row) - place(other)) >= music.SECONDS for other in held)


def test_a_piece_that_cannot_be_decoded_is_listed(prepared, monkeypatch):
    def cut(piece, starts, folder, whole=music.cut):
        if piece.title == "Cold Day":
            raise AudioError("truncated audio: cold_day.wav has 1 of 2 samples")
        return whole(piece, starts, folder)

    monkeypatch.setattr(music, "cut", cut)
    data = prepare(prepared.parent, data="broken")
    assert listed(data)["piece", "music-moh-some-band-cold-day"] == "truncated audio"
    assert {row["label"] for row in examples(prepared, "mr")} - {
        row["label"] for row in examples(data, "mr")
    } == {"Cold Day"}


def test_composers_are_credited(prepared):
    assert "music-wesnoth-piece0\tA. Composer" in (prepared / "music_test/licence.txt").read_text()


def test_a_generated_piece_without_its_settings_is_named(tmp_path):
    path = tmp_path / music.GENERATED / "calm/calm_1.opus"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(ValueError, match=r"calm_1\.opus: LICENSE-MUSIC has no line of it; install"):
        prepare(tmp_path)


def test_a_folder_without_music_is_named(tmp_path):
    with pytest.raises(ValueError, match="no music; it must hold usr/share/games/wesnoth"):
        prepare(tmp_path)
