#!/usr/bin/env python3
"""NSynth as published, the release with JSON and WAV: notes of four seconds with pitch, velocity, instrument.

    local/data.sh --corpus nsynth

Reads nsynth-{train,valid,test}/examples.json and audio/*.wav. Writes data/nsynth_{train,valid,test} with an
mna row a note: pitch and velocity as MIDI numbers, the instrument's family, and the qualities of its sound
as "sonic", left out where it has none. No instrument of valid or test is in train.
"""

import argparse
import json
from pathlib import Path

from corpus_reader import names_in, need, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

SETS = {"train": 289205, "valid": 12678, "test": 4096}  # notes as published
KEYS = ("instrument_str", "pitch", "velocity", "instrument_family_str", "qualities_str")
LICENCE = "NSynth (Engel et al., 2017; Google): CC-BY-4.0.\n"


def main(args: argparse.Namespace) -> None:
    folders = {name: args.corpus / f"nsynth-{name}" for name in SETS}
    packed = next(args.corpus.glob("*.tfrecord"), None)
    if packed and not any(folder.is_dir() for folder in folders.values()):
        raise ValueError(f"{packed}: the TFRecord release; take that with JSON and WAV, *.jsonwav.tar.gz")
    rejected: Rejected = []
    sets = {}
    places = {name: folder.name for name, folder in folders.items()}
    for name in sets_there(args.corpus, places, args.test_only):
        sets[name] = read_split(folders[name], rejected)
        tell_size(folders[name], len(sets[name]), SETS[name], "notes")
    write_corpus(args.data, "nsynth", sets, LICENCE, rejected)


def read_split(folder: Path, rejected: Rejected) -> list[Utterance]:
    """All notes of a split with both recording and description; the others go to ``rejected``.

    Raises:
        ValueError: naming the file that is missing or no JSON, or the note that lacks a key.
    """
    need(folder, "examples.json", "audio")
    described = folder / "examples.json"
    try:
        notes = json.loads(described.read_bytes())
    except ValueError as error:
        raise ValueError(f"{described}: not JSON ({error}); unpack it anew") from None
    unsaid = {path.stem: path for path in (folder / "audio").glob("*.wav")}
    rows = []
    for name, note in notes.items():
        missing = [key for key in KEYS if key not in note]
        if missing:
            raise ValueError(f"{described}: note {name} has no {missing[0]}; it has {', '.join(note)}")
        if name not in unsaid:
            rejected.append(("note", name, "note without a recording"))
            continue
        row = {"task": "mna", "pitch": note["pitch"], "velocity": note["velocity"]}
        row["instrument"] = note["instrument_family_str"]
        if note["qualities_str"]:
            row["sonic"] = note["qualities_str"]
        rows.append(Utterance(name, note["instrument_str"], str(unsaid.pop(name)), examples=[row]))
    rejected += [("recording", name, "recording without a note in examples.json") for name in unsaid]
    if not rows:
        found = names_in(folder / "audio")
        raise ValueError(f"{folder}/audio: needs the notes of examples.json, NAME.wav; found {found}")
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
