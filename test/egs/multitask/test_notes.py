import json
from collections import Counter

import fluid
import notes
import numpy as np
import pytest
import soundfile

FAMILIES = {0: "keyboard", 1: "keyboard", 40: "string"}


def test_no_note_is_in_two_splits_and_families_are_even():
    counts = {"test": 20, "valid": 10, "train": 100}
    split = notes.choose_notes(FAMILIES, counts)
    assert Counter(split.values()) == counts
    assert Counter(FAMILIES[program] for program, _, _ in split) == {"keyboard": 65, "string": 65}


def test_more_training_notes_move_none():
    few = notes.choose_notes(FAMILIES, {"test": 20, "valid": 10, "train": 100})
    many = notes.choose_notes(FAMILIES, {"test": 20, "valid": 10, "train": 200})
    assert few.items() <= many.items()


def test_a_rendered_a4_sounds_at_440_hz_and_begins_at_its_time(sound_corpus, tmp_path):
    played = [(0, 45, 100), (40, 69, 100), (73, 69, 50)]
    fluid.render(
        [notes.clip_of(note) for note in played], fluid.sound_font(sound_corpus), tmp_path, processes=1
    )
    for note in played:
        samples, rate = soundfile.read(tmp_path / f"{notes.note_name(note)}.wav")
        assert (len(samples), rate) == (19200, 16000)
        onset = np.argmax(np.abs(samples) > 0.05 * np.abs(samples).max()) / rate
        assert onset < 0.1 and np.abs(samples[:16]).max() == 0  # nothing of the note before rings on
    for note in played[1:]:
        samples, rate = soundfile.read(tmp_path / f"{notes.note_name(note)}.wav")
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
        frequency = np.fft.rfftfreq(1 << 18, 1 / rate)
        near = (frequency > 415) & (frequency < 466)  # up to the neighbouring keys
        assert frequency[near][power[near].argmax()] == pytest.approx(440, abs=3)


def test_a_louder_key_is_louder(sound_corpus, tmp_path):
    played = [(0, 60, velocity) for velocity in notes.VELOCITIES]
    fluid.render(
        [notes.clip_of(note) for note in played], fluid.sound_font(sound_corpus), tmp_path, processes=1
    )
    peaks = [np.abs(soundfile.read(tmp_path / f"{notes.note_name(note)}.wav")[0]).max() for note in played]
    assert peaks == sorted(peaks) and peaks[-1] > 2 * peaks[0]


@pytest.mark.parametrize(("played", "claimed", "share"), [(69, 69, 1.0), (69, 75, 0.0)])
def test_the_share_of_a_pitch_is_one_where_it_sounds(played, claimed, share):
    time = np.arange(19200) / 16000
    samples = sum(np.sin(2 * np.pi * k * 440 * 2 ** ((played - 69) / 12) * time) for k in (1, 2, 3))
    assert notes.harmonic_share(samples, claimed) == pytest.approx(share, abs=0.02)


def test_every_note_is_used_or_listed_and_says_its_own_pitch(sound_corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(notes.COUNTS, "default", {"test": 22, "valid": 11, "train": 33})
    args = dict(corpus=sound_corpus, data=tmp_path / "data", downloads=tmp_path, preset="default", nj=1)
    notes.main(type("Args", (), args))
    rows = [json.loads(line) for path in tmp_path.glob("data/notes_*/examples.jsonl") for line in path.open()]
    notes_found = [row for row in rows if row["task"] == "mna"]
    dropped = (tmp_path / "data/notes_rejected.tsv").read_text().splitlines()
    assert len(notes_found) + len(dropped) == 66 and len(rows) == 2 * len(notes_found)
    assert {row["label_origin"] for row in rows} == {"synthetic"}
    for row in notes_found:
        assert row["utt"].endswith(f"{row['pitch']:03d}-{row['velocity']:03d}")


def test_a_folder_without_the_sound_font_is_named(tmp_path, local_data):
    status, printed, _ = local_data(tmp_path, "multitask", "--corpus_name", "notes", "--corpus", tmp_path)
    assert status == 1 and "TimGM6mb.sf2 is missing" in printed and "Traceback" not in printed
