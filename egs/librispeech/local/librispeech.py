#!/usr/bin/env python3
"""LibriSpeech as published: SUBSET/SPEAKER/CHAPTER/*.flac with SPEAKER-CHAPTER.trans.txt.

    python3 local/librispeech.py --corpus LibriSpeech --data data

Writes data/librispeech_train (all train-* there are), librispeech_valid (dev-clean and dev-other) and a test
set for each dev-* and test-* subset, librispeech_test_clean and so on. The texts, published in capitals, are
written in small letters: an LLM's tokenizer takes nearly twice the tokens for capitals and expects other words
after them, and both WER protocols ignore case. What is not used stands with its reason in
data/librispeech_rejected.tsv.
"""

import argparse
from pathlib import Path

from corpus_reader import run_reader, tell_size, tell_test_alone

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

SUBSETS = {  # utterances as published
    "train-clean-100": 28539,
    "train-clean-360": 104014,
    "train-other-500": 148688,
    "dev-clean": 2703,
    "dev-other": 2864,
    "test-clean": 2620,
    "test-other": 2939,
}
LICENCE = "LibriSpeech (Panayotov et al., 2015; openslr.org/12): CC-BY-4.0.\n"


def main(args: argparse.Namespace) -> None:
    found = [name for name in SUBSETS if (args.corpus / name).is_dir()]
    absent = [name for name in SUBSETS if name not in found]
    if args.test_only:
        found = [name for name in found if not name.startswith("train")]
    alone = not any(name.startswith("train") for name in found)
    for kind in ("test",) if alone else ("train", "dev", "test"):
        wanted = [name for name in SUBSETS if name.startswith(kind)]
        if not set(wanted) & set(found):
            raise ValueError(
                f"{args.corpus}: none of {', '.join(wanted)}; found {', '.join(found) or 'no subset'}"
            )
    print(f"{args.corpus}: {', '.join(found)}; not there: {', '.join(absent) or 'none'}")
    if alone and not args.test_only:
        tell_test_alone(args.corpus, (name for name in SUBSETS if name.startswith("train")))
    rejected: Rejected = []
    sets: dict[str, list[Utterance]] = {} if alone else {"train": [], "valid": []}
    for name in found:
        rows = read_subset(args.corpus / name, rejected)
        tell_size(args.corpus / name, len(rows), SUBSETS[name])
        if name.startswith("train"):
            sets["train"] += rows
        else:
            if name.startswith("dev") and not alone:
                sets["valid"] += rows
            sets[name.replace("-", "_")] = rows
    write_corpus(args.data, "librispeech", sets, LICENCE, rejected)


def read_subset(subset: Path, rejected: Rejected) -> list[Utterance]:
    """All utterances of a subset with both recording and text; the others go to ``rejected``.

    Raises:
        ValueError: naming the line of a transcript that is no ``SPEAKER-CHAPTER-NUMBER TEXT``.
    """
    rows = []
    for transcript in sorted(subset.glob("*/*/*.trans.txt")):
        untold = {path.stem: path for path in transcript.parent.glob("*.flac")}
        for number, line in enumerate(transcript.read_text(encoding="utf-8").splitlines(), 1):
            utt, _, text = line.partition(" ")
            if not text.strip() or utt.rpartition("-")[0] != transcript.name.removesuffix(".trans.txt"):
                raise ValueError(f"{transcript}:{number}: {line!r}; write SPEAKER-CHAPTER-NUMBER TEXT")
            if utt in untold:
                text = text.strip().lower()
                rows.append(Utterance(utt, utt.partition("-")[0], str(untold.pop(utt)), text, "en"))
            else:
                rejected.append(("text", utt, "text without a recording"))
        rejected += [("recording", utt, "recording without a text") for utt in untold]
    return rows


if __name__ == "__main__":
    run_reader(main, __doc__)
