#!/usr/bin/env python3
"""VocalSound as published: cough, laughter, sigh, sneeze, sniff and throat clearing of 3365 people.

    local/data.sh --corpus vs_release_16k

Reads audio_16k/*.wav, or audio_44k or data_44k of the other release, datafiles/{tr,val,te}.json and the
names of the labels in class_labels_indices_vs.csv. Writes data/vocalsound_{train,valid,test} with a vsc row
a clip; its label is the display name, such as "Throat clearing". No speaker is in two splits.
"""

import argparse
import json
from pathlib import Path

from corpus_reader import names_in, need, read_columns, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

FOLDERS = ("audio_16k", "audio_44k", "data_44k")
SETS = {"train": ("tr", 15570), "valid": ("val", 1860), "test": ("te", 3594)}  # clips as published
LABELS = "class_labels_indices_vs.csv"
LICENCE = "VocalSound (Gong, Yu and Glass, 2022): CC-BY-SA-4.0.\n"


def main(args: argparse.Namespace) -> None:
    need(args.corpus, LABELS)
    places = {name: f"datafiles/{split}.json" for name, (split, _) in SETS.items()}
    there = sets_there(args.corpus, places, args.test_only)
    folder = next((args.corpus / name for name in FOLDERS if (args.corpus / name).is_dir()), None)
    if not folder:
        raise ValueError(f"{args.corpus}: needs one of {', '.join(FOLDERS)}; found {names_in(args.corpus)}")
    labels = read_columns(args.corpus / LABELS, ("index", "mid", "display_name"))
    names = {row["mid"]: row["display_name"].strip() for _, row in labels}
    rejected: Rejected = []
    unlisted = {path.name: path for path in folder.glob("*.wav")}
    sets = {}
    for name in there:
        split, published = SETS[name]
        listed = args.corpus / f"datafiles/{split}.json"
        sets[name] = read_split(listed, unlisted, names, rejected)
        tell_size(listed, len(sets[name]), published, "clips")
    if "train" in there:  # else datafiles that were not read list them
        rejected += [("recording", name, "recording that no datafile lists") for name in unlisted]
    write_corpus(args.data, "vocalsound", sets, LICENCE, rejected)


def read_split(
    listed: Path, clips: dict[str, Path], names: dict[str, str], rejected: Rejected
) -> list[Utterance]:
    """The clips that a datafile lists, taken out of ``clips``; of its paths only the file name counts.

    f0003_0_cough.wav is of speaker f0003 in her first session.

    Raises:
        ValueError: naming the entry whose label is none of VocalSound.
    """
    try:
        data = json.loads(listed.read_bytes())["data"]
        entries = [(Path(entry["wav"]).name, entry["labels"]) for entry in data]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f'{listed}: is not {{"data": [{{"wav", "labels"}}, ...]}}; copy it anew') from None
    rows = []
    for number, (name, label) in enumerate(entries, 1):
        if label not in names:
            known = ", ".join(names)
            raise ValueError(f"{listed}: entry {number}, {name}: label {label}; {LABELS} has {known}")
        if name not in clips:
            rejected.append(("label", name, "label without a recording"))
            continue
        utt, row = name.removesuffix(".wav"), {"task": "vsc", "label": names[label]}
        rows.append(Utterance(utt, utt.partition("_")[0], str(clips.pop(name)), examples=[row]))
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
