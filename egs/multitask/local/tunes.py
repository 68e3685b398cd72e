#!/usr/bin/env python3
"""Short tunes rendered with FluidSynth from the TimGM6mb sound font: task mic, synthetic, for training alone.

    python3 local/tunes.py --corpus downloads/deb --data data

Recorded instruments (data/sounds_mic_test) are heard in tunes, in a room, not in single notes as data/notes_train
has them. A tune is drawn by its name: a walk up and down a scale, in half of the tunes of instruments that play
several notes at once with chords. Reads usr/share/sounds/sf2/TimGM6mb.sf2 under --corpus, and instruments.yaml,
which says of what family a program is. Writes data/tunes_train; what is not used stands in data/tunes_rejected.tsv.
"""

import argparse
import random

import fluid
import numpy as np
import soundfile
from arguments import run
from fluid import Clip
from midi import Message, key_down, key_up, program

from qwen_audio.data.corpus_dir import Utterance, write_corpus

COUNTS = {"default": 1100, "full": 3300}  # tunes, as many of each family
LENGTHS_MS = (1500, 5000)
BEATS_MS = (160, 220, 300, 400, 550)
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PITCHES = (36, 84)  # MIDI keys, as of the single notes
CHORDAL = ("guitar", "keyboard", "mallet", "organ", "string")  # families that play chords
SILENT = 1e-3  # peak of full scale


def main(args: argparse.Namespace) -> None:
    font, programs = fluid.sound_font(args.corpus), fluid.families()
    tunes = choose_tunes(programs, COUNTS[args.preset])
    folder = fluid.folder_for(args.downloads / "tunes", font)
    fluid.render([clip for clip, _ in tunes], font, folder, args.nj, reverb=True)
    made, rejected = [], []
    for clip, family in tunes:
        path, name = folder / f"{clip.name}.wav", f"tunes-{clip.name}"
        if np.abs(soundfile.read(path)[0]).max() < SILENT:
            rejected.append(("tune", name, "silent: the sound font has no such notes"))
        else:
            example = {"task": "mic", "label": family, "label_origin": "synthetic"}
            made.append(Utterance(name, name, str(path), examples=[example]))
    write_corpus(args.data, "tunes", {"train": made}, fluid.LICENCE, rejected)


def choose_tunes(programs: dict[int, str], count: int) -> list[tuple[Clip, str]]:
    """Tunes and their families: of each family as many, its programs in turn."""
    tunes = []
    for family in sorted(set(programs.values())):
        mine = sorted(number for number, name in programs.items() if name == family)
        each = count // len(set(programs.values()))
        tunes += [(draw_tune(mine[n % len(mine)], n, family in CHORDAL), family) for n in range(each)]
    return tunes


def draw_tune(number: int, tune: int, chordal: bool) -> Clip:
    """Tune ``tune`` on program ``number``; the same numbers give the same tune."""
    name = f"{number:03d}-{tune:04d}"
    draw = random.Random(name)
    scale, beat, loud = draw.choice(list(SCALES.values())), draw.choice(BEATS_MS), draw.randint(60, 115)
    key, step = draw.randint(PITCHES[0], PITCHES[1] - 24), draw.randint(0, 7)
    # shares of a note's time: cut off, or ringing on
    chords, held = (chordal and draw.random() < 0.5, draw.uniform(0.6, 1.6))
    length, now = draw.randint(*LENGTHS_MS), 0
    messages: list[Message] = [(0, program(number))]
    while now < length:
        lasts = beat * draw.choice((1, 1, 1, 2, 2, 3))
        for third in (0, 2, 4) if chords and draw.random() < 0.4 else (0,):
            octave, degree = divmod(step + third, len(scale))
            pitch = key + 12 * octave + scale[degree]
            if pitch <= PITCHES[1] and draw.random() > 0.06:  # else a rest
                up = min(now + int(lasts * held), length)
                velocity = min(127, loud + draw.randint(-12, 12))
                messages += [(now, key_down(pitch, velocity)), (up, key_up(pitch))]
        now += lasts
        step = min(max(step + draw.choice((-4, -2, -1, -1, 0, 1, 1, 2, 4)), 0), 11)
    return Clip(name, tuple(sorted(messages, key=lambda message: message[0])), length)


if __name__ == "__main__":
    run(main, __doc__, "rendered tunes", COUNTS, nj="processes that render")
