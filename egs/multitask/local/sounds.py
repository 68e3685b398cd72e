#!/usr/bin/env python3
"""Sounds of animals, things and weather, labelled by their names: sec, aac, and mic on real instruments.

    python3 local/sounds.py --corpus downloads/deb --data data

Reads the sounds of GCompris, Tux Paint, OpenTTD, Minetest and Simutrans under --corpus (sound_files.py). Writes
data/sounds_{train,valid,test} (tasks sec and aac; takes of one recording stand in one of them) and
data/sounds_mic_test: recorded instruments, which no training set holds. sound_labels.yaml says which file is
what; unused ones stand in data/sounds_rejected.tsv.
"""

import argparse
import fnmatch
import hashlib
import random
from pathlib import Path

import numpy as np
import soundfile
import yaml
from arguments import run
from sound_files import PACKAGES, Sound, find_sounds

from qwen_audio.data.corpus_dir import Utterance, write_corpus
from qwen_audio.data.split import SPLITS, audio_hash, components, split_components

LOCAL = Path(__file__).resolve().parent
LONGEST = 8.0  # seconds: what is longer is cut
SILENT = 10 ** (-60 / 20)  # RMS of full scale
FEWEST = 5  # recordings of a label
CROPS = {"default": 2, "full": 4}  # further pieces of a training recording
SHORTEST_CROP = 1.0  # seconds
SHARES = {"test": 0.2, "valid": 0.1}
MIC_TEST = "mic_test"  # a set of its own, of no split


def main(args: argparse.Namespace) -> None:
    sounds, rejected = read_sounds(args.corpus, args.downloads / "sounds")
    families = instrument_families()
    sets: dict[str, list[Utterance]] = {name: [] for name in SPLITS}
    if MIC_TEST in sounds:
        instruments = sounds[MIC_TEST]
        sets[MIC_TEST] = [
            utterance(s, [{"task": "mic", "label": families[s.path.stem]}]) for s in instruments
        ]
    for split in SPLITS:
        for sound in sounds[split]:
            examples = [{"task": "sec", "label": sound.label}]
            if sound.caption:
                examples.append({"task": "aac", "text": sound.caption, "label_origin": "constructed"})
            sets[split].append(utterance(sound, examples))
            if split == "train":
                crops = enumerate(crop_times(sound, CROPS[args.preset]), 1)
                sets[split] += [
                    utterance(sound, examples[:1], start, end, f"-crop{n}") for n, (start, end) in crops
                ]

    every = sorted((s for found in sounds.values() for s in found), key=lambda s: s.name)
    licence = "".join(f"{s.name}\t{s.licence}\n" for s in every)
    licence = f"Recordings of the Debian packages {', '.join(PACKAGES)}:\n{licence}"
    write_corpus(args.data, "sounds", sets, licence, rejected)


def utterance(
    sound: Sound, examples: list[dict], start: float = 0.0, end: float | None = None, tag: str = ""
) -> Utterance:
    end = min(sound.seconds, LONGEST) if end is None else end
    utt = sound.recording + tag
    return Utterance(utt, utt, str(sound.path), segment=(sound.recording, start, end), examples=examples)


def read_sounds(corpus: Path, folder: Path) -> tuple[dict[str, list[Sound]], list[tuple[str, str, str]]]:
    """Usable sounds by split, recorded instruments apart as ``mic_test``; and the rejected rows.

    Raises:
        ValueError: if there is no sound.
    """
    usable, rejected = label(find_sounds(corpus, folder))
    families = instrument_families()
    held = [s for s in usable if s.name.startswith("gcompris/instruments/") and s.path.stem in families]
    split = split_sounds([s for s in usable if s not in held]) | {s.name: MIC_TEST for s in held}
    sounds: dict[str, list[Sound]] = {name: [] for name in SPLITS}
    for sound in usable:
        sounds.setdefault(split[sound.name], []).append(sound)
    return sounds, rejected


def instrument_families() -> dict[str, str]:
    """Name of a recorded instrument -> its family."""
    kinds = yaml.safe_load((LOCAL / "instruments.yaml").read_text())
    return {name: family for family, kind in kinds.items() for name in kind["recordings"]}


def label(found: list[Sound]) -> tuple[list[Sound], list[tuple[str, str, str]]]:
    """Apply sound_labels.yaml, drop what is silent or twice there; returns (usable sounds, rejected rows)."""
    rules = yaml.safe_load((LOCAL / "sound_labels.yaml").read_text(encoding="utf-8"))
    usable: dict[str, Sound] = {}
    rejected = []
    for sound in found:
        rule = next((r for r in rules if any(fnmatch.fnmatchcase(sound.name, p) for p in r["files"])), None)
        reason = "no rule of sound_labels.yaml" if rule is None else rule.get("drop")
        if not reason:
            samples, rate = soundfile.read(sound.path, always_2d=True)
            sound.label, sound.seconds = rule["label"], len(samples) / rate
            sound.content = audio_hash(sound.path)
            if not rule.get("caption"):
                sound.caption = None
            twin = usable.get(sound.content)
            if np.sqrt(np.mean(samples**2)) < SILENT:
                reason = "silent"
            elif twin:
                reason = f"same recording as another name: {twin.name}"
                twin.caption = None  # one recording, two names: neither phrase is sure
        if reason:
            rejected.append(("sound", sound.name, reason))
        else:
            usable[sound.content] = sound
    counts = {
        name: sum(s.label == name for s in usable.values()) for name in {s.label for s in usable.values()}
    }
    few = {name for name, count in counts.items() if count < FEWEST}
    rejected += [
        ("sound", s.name, f"fewer than {FEWEST} of its label: {s.label}")
        for s in usable.values()
        if s.label in few
    ]
    return [s for s in usable.values() if s.label not in few], rejected


def split_sounds(sounds: list[Sound]) -> dict[str, str]:
    """Name -> split, every label in its share."""
    split = {}
    for kind in sorted({s.label for s in sounds}):
        joined = components({s.name: s.sources for s in sounds if s.label == kind})
        chosen = split_components(joined.values(), **SHARES)
        split |= {name: chosen[source] for name, source in joined.items()}
    return split


def crop_times(sound: Sound, count: int) -> list[tuple[float, float]]:
    """Random pieces of a recording, (start, end) in seconds, with at least a quarter of its mean power."""
    draw = random.Random(int(hashlib.sha1(sound.name.encode()).hexdigest()[:12], 16))
    samples, rate = soundfile.read(sound.path, always_2d=True)
    enough = np.mean(samples**2) / 4
    crops: list[tuple[float, float]] = []
    if sound.seconds < 1.5 * SHORTEST_CROP:
        return crops
    for _ in range(20 * count):
        length = draw.uniform(SHORTEST_CROP, min(sound.seconds, LONGEST / 2))
        start = draw.uniform(0, sound.seconds - length)
        if np.mean(samples[int(start * rate) : int((start + length) * rate)] ** 2) >= enough:
            crops.append((start, start + length))
        if len(crops) == count:
            break
    return crops


if __name__ == "__main__":
    run(main, __doc__, "sounds taken out of .rcc files", CROPS)
