#!/usr/bin/env python3
"""AISHELL-1 as published: wav/{train,dev,test}/SPEAKER/*.wav and transcript/aishell_transcript_v0.8.txt.

    python3 local/aishell1.py --corpus data_aishell --data data

Writes data/aishell1_{train,valid,dev,test}; valid and dev are the same. Where there is no wav/train, dev is a
test set all the same. The transcript's blanks stand between words as a segmenter found them and are left out.
What is not used stands in data/aishell1_rejected.tsv.
"""

import argparse
from pathlib import Path

from corpus_reader import enter, need, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

SIZES = {"train": 120098, "dev": 14326, "test": 7176}  # transcribed recordings
SETS = {"train": "train", "dev": "valid", "test": "test"}
TRANSCRIPT = "transcript/aishell_transcript_v0.8.txt"
LICENCE = "AISHELL-1 (Bu et al., 2017; openslr.org/33): Apache-2.0.\n"


def main(args: argparse.Namespace) -> None:
    corpus = enter(args.corpus, "data_aishell")
    need(corpus, TRANSCRIPT)
    there = sets_there(corpus, {SETS[split]: f"wav/{split}" for split in SIZES}, args.test_only)
    texts = read_transcript(corpus / TRANSCRIPT)
    rejected: Rejected = []
    sets = {
        split: read_split(corpus / "wav" / split, texts, rejected)
        for split in SIZES
        if SETS[split] in there or split == "dev" and (corpus / "wav/dev").is_dir()
    }
    if "train" in there:  # else most of the texts are of recordings that were not read
        rejected += [("text", utt, "text without a recording") for utt in texts]
    valid = {"valid": sets["dev"]} if "valid" in there else {}
    write_corpus(args.data, "aishell1", valid | sets, LICENCE, rejected)


def read_transcript(path: Path) -> dict[str, str]:
    """Utterance -> its characters without the blanks between words.

    Raises:
        ValueError: naming the line that is no ``UTTERANCE TEXT`` or comes a second time.
    """
    texts: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        utt, *words = line.split()
        if not words or utt in texts:
            raise ValueError(f"{path}:{number}: {line!r}; write UTTERANCE TEXT, each utterance once")
        texts[utt] = "".join(words)
    return texts


def read_split(folder: Path, texts: dict[str, str], rejected: Rejected) -> list[Utterance]:
    """The recordings of a split that have a text, which is taken out of ``texts``.

    Raises:
        ValueError: if the folder holds the speakers' archives instead of their folders.
    """
    rows = []
    for path in sorted(folder.glob("*/*.wav")):
        utt = path.stem
        if utt in texts:
            rows.append(Utterance(utt, utt.partition("W")[0], str(path), texts.pop(utt), "zh"))
        else:
            rejected.append(("recording", utt, "recording without a text"))
    if not rows:
        need(folder, "S*/*.wav")
    tell_size(folder, len(rows), SIZES[folder.name])
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
