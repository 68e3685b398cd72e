#!/usr/bin/env python3
"""TUT Acoustic Scenes 2017 as published: the development set and the evaluation set with its labels.

    python3 local/tut2017.py --corpus TUT2017 --data data

DIR holds TUT-acoustic-scenes-2017-development and TUT-acoustic-scenes-2017-evaluation, each with audio/*.wav
and meta.txt (audio/b020_90_100.wav<TAB>beach<TAB>b020), the first with evaluation_setup/fold1_evaluate.txt.
Writes data/tut2017_{train,valid,test}: valid is what fold 1 holds out of development, recorded at other
places than the rest; test is the evaluation set. Labels are words (city_center: city center). What is not
used stands in data/tut2017_rejected.tsv.
"""

import argparse
from pathlib import Path

from corpus_reader import need, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

DEVELOPMENT, EVALUATION = (f"TUT-acoustic-scenes-2017-{part}" for part in ("development", "evaluation"))
SIZES = {DEVELOPMENT: 4680, EVALUATION: 1620}
FOLD = "evaluation_setup/fold1_evaluate.txt"
SCENES = (
    "beach bus cafe/restaurant car city_center forest_path grocery_store home library metro_station office"
    " park residential_area train tram"
).split()
LICENCE = "TUT Acoustic Scenes 2017 (Mesaros et al., 2016): free for use that is not commercial.\n"


def main(args: argparse.Namespace) -> None:
    places = {"train": DEVELOPMENT, "test": EVALUATION}
    alone = "train" not in sets_there(args.corpus, places, args.test_only)
    labels = "evaluation_setup/evaluate.txt"  # the same as meta.txt, where only one of them was unpacked
    if not (args.corpus / EVALUATION / labels).is_file():
        labels = "meta.txt"
        need(args.corpus / EVALUATION, labels)
    rejected: Rejected = []
    evaluation = read_labels(args.corpus / EVALUATION / labels)
    sets = {} if alone else read_development(args.corpus / DEVELOPMENT, rejected)
    sets["test"] = label_clips(args.corpus / EVALUATION, evaluation, rejected)
    tell_size(args.corpus / EVALUATION, len(sets["test"]), SIZES[EVALUATION], "clips")
    write_corpus(args.data, "tut2017", sets, LICENCE, rejected)


def read_development(folder: Path, rejected: Rejected) -> dict[str, list[Utterance]]:
    """``train`` and ``valid``, which fold 1 holds out.

    Raises:
        ValueError: naming a file that is missing, or a clip of the fold that meta.txt lacks.
    """
    need(folder, "meta.txt", FOLD)
    held, development = read_labels(folder / FOLD), read_labels(folder / "meta.txt")
    if lost := sorted(held.keys() - development.keys()):
        raise ValueError(f"{folder / FOLD}: {lost[0]} is not in meta.txt; copy both anew")
    rows = {
        "train": {name: label for name, label in development.items() if name not in held},
        "valid": {name: label for name, label in development.items() if name in held},
    }
    sets = {name: label_clips(folder, labelled, rejected) for name, labelled in rows.items()}
    tell_size(folder, len(sets["train"]) + len(sets["valid"]), SIZES[DEVELOPMENT], "clips")
    return sets


def read_labels(path: Path) -> dict[str, str]:
    """Clip (audio/NAME.wav) -> scene, of a table without a header whose columns have tabs between them.

    Raises:
        ValueError: naming the line without one of the 15 scenes: that of another year has others.
    """
    labels = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, scene = (line.split("\t") + [""])[:2]
        if scene.strip() not in SCENES:
            expected = f"expected audio/NAME.wav, a tab and one of {', '.join(SCENES)}"
            raise ValueError(f"{path}:{number}: {line!r}; {expected}")
        labels[name] = scene.strip()
    return labels


def label_clips(folder: Path, labels: dict[str, str], rejected: Rejected) -> list[Utterance]:
    """The clips that are there; an utterance is called development-NAME or evaluation-NAME."""
    rows = []
    for name, scene in labels.items():
        utt = f"{folder.name.rpartition('-')[2]}-{Path(name).stem}"
        if (folder / name).is_file():
            examples = [{"task": "asc", "label": scene.replace("_", " ")}]
            rows.append(Utterance(utt, utt, str(folder / name), examples=examples))
        else:
            rejected.append(("label", utt, "label without a recording"))
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
