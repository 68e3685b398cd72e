import json
from pathlib import Path

import pytest
import sounds
from make_corpora import make_sounds, tone, write

from qwen_audio.data.leak import check_leak
from qwen_audio.task_spec import load_tasks

LETTERS = "abcdefghij"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, local_data):
    corpus = make_sounds(tmp_path_factory.mktemp("sounds"))
    status, printed, data = local_data(corpus, "multitask", "--corpus_name", "sounds", "--corpus", corpus)
    assert status == 0, printed
    return data


def examples(data, name="sounds_*"):
    return [json.loads(line) for path in data.glob(f"{name}/examples.jsonl") for line in path.open()]


def found(tmp_path, name, samples=None, rate=16000):
    path = write(tmp_path / name, tone(name) if samples is None else samples, rate)
    return sounds.Sound(name, path, "GPL-2", caption="A thing.")


def test_every_example_satisfies_its_task(prepared):
    tasks = load_tasks()
    for row in examples(prepared):
        tasks[row["task"]].check(row)


def test_spoken_and_silent_stamps_are_left_out(prepared):
    names = {path for file in prepared.glob("sounds_*/wav.scp") for path in file.read_text().split()[1::2]}
    assert not any("_desc" in name for name in names)
    assert "tuxpaint/animals/mammals/mute.ogg\tsilent" in (prepared / "sounds_rejected.tsv").read_text()


def test_recorded_instruments_are_a_test_set_of_their_own(prepared):
    assert {
        (row["utt"].rpartition("-")[2], row["label"]) for row in examples(prepared, "sounds_mic_test")
    } == {
        ("violin", "string"),
        ("trumpet", "brass"),
    }
    others = [
        row["utt"] for name in ("train", "valid", "test") for row in examples(prepared, f"sounds_{name}")
    ]
    assert not any("violin" in utt or "trumpet" in utt for utt in others)
    assert "sounds_mic_test" in json.loads((prepared / "sets.json").read_text())["test"]


def test_a_caption_is_the_stamps_english_phrase_and_constructed(prepared):
    captions = [row for row in examples(prepared) if row["task"] == "aac"]
    assert {row["text"] for row in captions} == {f"A beast of kind {name}." for name in "abcd"}
    assert {row["label_origin"] for row in captions} == {"constructed"}


def test_segments_stay_within_the_recording_and_eight_seconds(prepared):
    for line in (prepared / "sounds_train/segments").read_text().splitlines():
        utt, _, start, end = line.split()
        assert 0 <= float(start) < float(end) <= 8.0
        assert "-crop" not in utt or float(end) - float(start) >= 0.999


def test_crops_are_of_training_recordings_only(prepared):
    crops = {
        name: "-crop" in (prepared / f"sounds_{name}/segments").read_text()
        for name in ("train", "valid", "test")
    }
    assert crops == {"train": True, "valid": False, "test": False}


def test_no_recording_leaks(prepared):
    held = [prepared / f"sounds_{name}" for name in ("valid", "test", "mic_test")]
    assert check_leak([prepared / "sounds_train"], held)["held_out_recordings"] >= 6


def test_one_recording_under_two_names_is_used_once_without_a_caption(tmp_path):
    same = tone("same")
    cows = [found(tmp_path, f"tuxpaint/animals/{name}.wav", same) for name in ("cow", "bull")]
    others = [found(tmp_path, f"tuxpaint/animals/x{n}.wav") for n in range(5)]
    usable, rejected = sounds.label(cows + others)
    assert cows[0] in usable and cows[0].caption is None and others[0].caption == "A thing."
    assert rejected == [("sound", cows[1].name, f"same recording as another name: {cows[0].name}")]


def test_the_first_rule_that_fits_decides(tmp_path):
    birds = [found(tmp_path, f"tuxpaint/animals/birds/b{n}.wav") for n in range(5)]
    usable, _ = sounds.label(birds)
    assert {sound.label for sound in usable} == {"bird"}


def test_a_label_with_few_recordings_is_not_used(tmp_path):
    lone = found(tmp_path, "gcompris/railroad/train.wav")
    assert sounds.label([lone]) == ([], [("sound", lone.name, "fewer than 5 of its label: vehicle")])


def test_a_sound_without_a_rule_is_listed(tmp_path):
    odd = found(tmp_path, "gcompris/core/bonus.wav")
    assert sounds.label([odd]) == ([], [("sound", odd.name, "no rule of sound_labels.yaml")])


def test_every_label_is_in_every_split():
    kinds = [sounds.Sound(f"{kind}_{n}", Path(), "", label=kind) for kind in ("cat", "dog") for n in LETTERS]
    split = sounds.split_sounds(kinds)
    for kind in ("cat", "dog"):
        counts = [sum(split[f"{kind}_{n}"] == name for n in LETTERS) for name in ("test", "valid", "train")]
        assert counts == [2, 1, 7]


def test_takes_of_one_recording_stand_in_one_split():
    steps = [
        sounds.Sound(f"minetest/{kind}_footstep.{n}.ogg", Path(), "") for kind in LETTERS for n in (1, 2, 3)
    ]
    trains = [
        sounds.Sound(f"opensfx/{n}.wav", Path(), "", originals=("train.wav",)) for n in ("start", "tunnel")
    ]
    split = sounds.split_sounds(steps + trains)
    assert all(len({split[f"minetest/{kind}_footstep.{n}.ogg"] for n in (1, 2, 3)}) == 1 for kind in LETTERS)
    assert set(split.values()) == {"train", "valid", "test"}
    assert split["opensfx/start.wav"] == split["opensfx/tunnel.wav"]
