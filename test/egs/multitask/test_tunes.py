import json
from collections import Counter

import fluid
import numpy as np
import soundfile
import tunes
from fluid import Clip
from midi import key_down, key_up, program

FAMILIES = {0: "keyboard", 1: "keyboard", 40: "string", 73: "flute"}


def keys(clip: Clip, status: int) -> list[tuple[int, int]]:
    """(time, pitch) of the messages of this kind."""
    return [(at, message[1]) for at, message in clip.messages if message[0] == status]


def test_families_have_as_many_tunes_and_their_programs_take_turns():
    chosen = tunes.choose_tunes(FAMILIES, 12)
    assert Counter(family for _, family in chosen) == {"flute": 4, "keyboard": 4, "string": 4}
    assert Counter(clip.messages[0][1][1] for clip, _ in chosen) == {0: 2, 1: 2, 40: 4, 73: 4}
    assert len({clip.name for clip, _ in chosen}) == 12


def test_a_tune_is_drawn_by_its_numbers_and_every_key_comes_up_in_time():
    for clip in (tunes.draw_tune(number, n, chordal=True) for number in range(5) for n in range(20)):
        assert clip == tunes.draw_tune(int(clip.name[:3]), int(clip.name[4:]), chordal=True)
        down, up = keys(clip, 0x90), keys(clip, 0x80)
        assert Counter(pitch for _, pitch in down) == Counter(pitch for _, pitch in up)
        assert all(36 <= pitch <= 84 for _, pitch in down) and max(at for at, _ in up) <= clip.length_ms


def test_only_instruments_that_can_play_chords():
    def at_once(chordal: bool) -> int:
        clips = [tunes.draw_tune(0, n, chordal) for n in range(30)]
        return max(max(Counter(at for at, _ in keys(clip, 0x90)).values(), default=0) for clip in clips)

    assert (at_once(False), at_once(True)) == (1, 3)


def test_in_a_room_a_sound_outlasts_its_key_and_is_gone_before_the_next_clip(sound_corpus, tmp_path):
    beat = ((0, program(56)), (200, key_down(69, 100)), (400, key_up(69)))
    clips = [Clip(name, beat, 1500) for name in ("first", "second")]
    for room in (False, True):
        fluid.render(clips, fluid.sound_font(sound_corpus), tmp_path / str(room), 1, reverb=room)
    after = {}
    for room in (False, True):
        first, second = (soundfile.read(tmp_path / str(room) / f"{clip.name}.wav")[0] for clip in clips)
        after[room] = np.abs(first[16 * 800 : 16 * 1000]).max()
        assert len(second) == 24000 and np.abs(second[: 16 * 180]).max() < 0.02 * np.abs(second).max()
    assert after[True] > 2 * after[False]


def test_every_tune_is_used_or_listed_and_is_for_training_alone(sound_corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(tunes.COUNTS, "default", 22)
    options = dict(corpus=sound_corpus, data=tmp_path / "data", downloads=tmp_path, preset="default", nj=1)
    tunes.main(type("Args", (), options))
    rows = [json.loads(line) for line in (tmp_path / "data/tunes_train/examples.jsonl").open()]
    dropped = (tmp_path / "data/tunes_rejected.tsv").read_text().splitlines()
    assert len(rows) + len(dropped) == 22 and {row["task"] for row in rows} == {"mic"}
    sets = json.loads((tmp_path / "data/sets.json").read_text())
    assert sets == {"train": ["tunes_train"], "valid": [], "test": []}
