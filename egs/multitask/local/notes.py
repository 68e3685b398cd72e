#!/usr/bin/env python3
"""Single notes rendered with FluidSynth from the TimGM6mb sound font: tasks mna and mic, synthetic.

    python3 local/notes.py --corpus downloads/deb --data data

Reads usr/share/sounds/sf2/TimGM6mb.sf2 under --corpus. Writes data/notes_{train,valid,test}: pitch (MIDI 36
to 84), velocity (25, 50, 75, 100, 127 as in NSynth) and family (instruments.yaml) are exact by construction.
A (program, pitch, velocity) stands in one split only.
"""

import argparse
import hashlib
from itertools import product

import fluid
import numpy as np
import soundfile
from arguments import run
from fluid import RATE, Clip
from midi import key_down, key_up, program

from qwen_audio.data.corpus_dir import Utterance, write_corpus
from qwen_audio.data.split import SPLITS

HELD_MS, NOTE_MS = 1000, 1200  # key down; what is kept
PITCHES, VELOCITIES = range(36, 85), (25, 50, 75, 100, 127)
COUNTS = {  # notes by preset and split
    "default": {"test": 154, "valid": 88, "train": 3000},
    "full": {"test": 154, "valid": 88, "train": 6000},
}
SILENT = 1e-3  # peak of full scale
# least share of the energy at the key's harmonics; measured 0.24 to 1.00 where the pitch is right
PITCHED = 0.2

Note = tuple[int, int, int]  # program, pitch, velocity


def main(args: argparse.Namespace) -> None:
    font, programs = fluid.sound_font(args.corpus), fluid.families()
    split = choose_notes(programs, COUNTS[args.preset])
    folder = fluid.folder_for(args.downloads / "notes", font)
    fluid.render([clip_of(note) for note in sorted(split)], font, folder, args.nj)
    sets: dict[str, list[Utterance]] = {name: [] for name in SPLITS}
    rejected, heard = [], {}
    # test first: it keeps its notes
    for note in sorted(split, key=lambda n: (SPLITS.index(split[n]), n), reverse=True):
        path, name = folder / f"{note_name(note)}.wav", f"notes-{note_name(note)}"
        samples, _ = soundfile.read(path)
        twin = heard.setdefault(samples.tobytes(), name)
        if np.abs(samples).max() < SILENT:
            rejected.append(("note", name, "silent: the sound font has no such note"))
        elif harmonic_share(samples, note[1]) < PITCHED:
            rejected.append(("note", name, "pitch not heard: the sound font plays this key otherwise"))
        elif twin != name:
            rejected.append(("note", name, f"sounds exactly like another program: {twin}"))
        else:
            _, pitch, velocity = note
            family = programs[note[0]]
            facts = {"pitch": pitch, "velocity": velocity, "instrument": family}
            examples = [{"task": "mna", **facts}, {"task": "mic", "label": family}]
            sets[split[note]].append(
                Utterance(
                    name, name, str(path), examples=[row | {"label_origin": "synthetic"} for row in examples]
                )
            )
    write_corpus(args.data, "notes", sets, fluid.LICENCE, rejected)


def note_name(note: Note) -> str:
    return "{:03d}-{:03d}-{:03d}".format(*note)


def clip_of(note: Note) -> Clip:
    number, pitch, velocity = note
    pressed = (0, program(number)), (0, key_down(pitch, velocity)), (HELD_MS, key_up(pitch))
    return Clip(note_name(note), pressed, NOTE_MS)


def choose_notes(programs: dict[int, str], counts: dict[str, int]) -> dict[Note, str]:
    """Note -> split: as many of each family, test and valid first, in the order of a hash.

    A larger training count adds notes and moves none.
    """
    families = sorted(set(programs.values()))
    split = {}
    for family in families:
        mine = [program for program, name in programs.items() if name == family]
        order = sorted(
            product(mine, PITCHES, VELOCITIES), key=lambda n: hashlib.sha1(note_name(n).encode()).digest()
        )
        for name in ("test", "valid", "train"):
            take = counts[name] // len(families)
            split |= dict.fromkeys(order[:take], name)
            order = order[take:]
    return split


def harmonic_share(samples: np.ndarray, pitch: int) -> float:
    """Share of the energy within 0.8 %, at least 3 Hz, of a MIDI pitch's harmonics; samples (N,), 16 kHz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16)) ** 2
    frequency = np.fft.rfftfreq(1 << 16, 1 / RATE)
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    nearest = np.maximum(1, np.round(frequency / fundamental)) * fundamental
    return float(power[np.abs(frequency - nearest) <= np.maximum(3, 0.008 * nearest)].sum() / power.sum())


if __name__ == "__main__":
    run(main, __doc__, "rendered notes", COUNTS, nj="processes that render")
