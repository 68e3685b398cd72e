#!/usr/bin/env python3
"""Clotho v2.1 as published: development, validation and evaluation clips, five captions each.

    python3 local/clotho.py --corpus clotho --data data

Reads SPLIT/*.wav and clotho_captions_SPLIT.csv (file_name, caption_1 ... caption_5). Writes
data/clotho_{train,valid,test} with five aac rows a clip. What is not used stands in data/clotho_rejected.tsv.
"""

import argparse
import re
from pathlib import Path

from corpus_reader import names_in, read_columns, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

SETS = {  # name: split, clips as published
    "train": ("development", 3839),
    "valid": ("validation", 1045),
    "test": ("evaluation", 1045),
}
CAPTIONS = [f"caption_{n}" for n in range(1, 6)]
LICENCE = """Clotho v2.1 (Drossos et al., 2020). Clips: Freesound licences, per clip in the corpus's
clotho_metadata_SPLIT.csv. Captions: Tampere University licence, non-commercial research, with attribution.
"""


def main(args: argparse.Namespace) -> None:
    rejected: Rejected = []
    sets = {}
    for name in sets_there(args.corpus, {name: split for name, (split, _) in SETS.items()}, args.test_only):
        split, published = SETS[name]
        sets[name] = read_split(args.corpus, split, rejected)
        tell_size(args.corpus / split, len(sets[name]), published, "clips")
    write_corpus(args.data, "clotho", sets, LICENCE, rejected)


def read_split(corpus: Path, split: str, rejected: Rejected) -> list[Utterance]:
    """All clips of a split that have both a recording and captions; the others are added to ``rejected``.

    Clips' names hold blanks and commas, so an utterance is called SPLIT-ROW-NAME with the rest replaced.

    Raises:
        ValueError: naming the file that is missing or the clip without a caption, or as read_columns.
    """
    table = corpus / f"clotho_captions_{split}.csv"
    if not table.exists() or not (corpus / split).is_dir():
        raise ValueError(f"{corpus}: needs {table.name} and the folder {split}; found {names_in(corpus)}")
    unsaid = {path.name: path for path in (corpus / split).glob("*.wav")}
    rows = []
    for number, (line, row) in enumerate(read_columns(table, ["file_name", *CAPTIONS]), 1):
        name = row["file_name"]
        plain = re.sub(r"[^A-Za-z0-9]+", "-", name.removesuffix(".wav"))[:60].strip("-")
        utt = f"{split}-{number:05d}-{plain}"
        captions = [" ".join(row[column].split()) for column in CAPTIONS]
        if not all(captions):
            raise ValueError(f"{table}:{line}: {name} lacks a caption; Clotho has five")
        if name not in unsaid:
            rejected.append(("captions", f"{split}/{name}", "captions without a recording"))
            continue
        examples = [{"task": "aac", "text": caption} for caption in captions]
        rows.append(Utterance(utt, utt, str(unsaid.pop(name)), examples=examples))
    rejected += [("recording", f"{split}/{name}", "recording without captions") for name in unsaid]
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
