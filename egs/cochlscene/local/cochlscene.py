#!/usr/bin/env python3
"""CochlScene as published: {Train,Val,Test}/SCENE/SCENE_userNNNN_NNNNNNNN_NNN.wav, 13 scenes.

    python3 local/cochlscene.py --corpus CochlScene --data data

Writes data/cochlscene_{train,valid,test}, each clip labelled with its scene in lower-case words
(SubwayStation: subway station).
"""

import argparse
import re
from pathlib import Path

from corpus_reader import enter, names_in, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Utterance, write_corpus

SPLITS = {"train": ("Train", 60855), "valid": ("Val", 7573), "test": ("Test", 7687)}  # name: folder, clips
SCENES = (
    "Bus Cafe Car CrowdedIndoor Elevator Kitchen Park ResidentialArea Restaurant Restroom Street Subway"
    " SubwayStation"
).split()
LICENCE = "CochlScene (Jeong and Park, 2022): licence at zenodo.org/record/7080122.\n"


def main(args: argparse.Namespace) -> None:
    corpus = enter(args.corpus, "CochlScene")
    sets = {}
    for name in sets_there(corpus, {name: folder for name, (folder, _) in SPLITS.items()}, args.test_only):
        folder, size = SPLITS[name]
        sets[name] = read_split(corpus / folder)
        tell_size(corpus / folder, len(sets[name]), size, "clips")
    write_corpus(args.data, "cochlscene", sets, LICENCE, [])


def read_split(folder: Path) -> list[Utterance]:
    """All clips of a split; the user who recorded a clip is part of its name.

    Raises:
        ValueError: if the folders are not those of the 13 scenes, or naming a clip called otherwise.
    """
    if {path.name for path in folder.iterdir() if path.is_dir()} != set(SCENES):
        raise ValueError(f"{folder}: needs the folders {', '.join(SCENES)}; found {names_in(folder)}")
    rows = []
    for path in sorted(folder.glob("*/*.wav")):
        scene, utt = path.parent.name, path.stem
        if not re.fullmatch(rf"{scene}_user\w+", utt):
            raise ValueError(f"{path}: CochlScene has {scene}_userNNNN_... in this folder")
        label = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", scene).lower()
        rows.append(Utterance(utt, utt, str(path), examples=[{"task": "asc", "label": label}]))
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
