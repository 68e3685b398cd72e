#!/usr/bin/env python3
"""CoVoST 2 over Common Voice 4: LANG/clips/*.mp3 and LANG/covost_v2.SRC_TGT.{train,dev,test}.tsv.

    python3 local/covost2.py --corpus covost2 --data data

The tables (path, sentence, translation, client_id) are what CoVoST's get_covost_splits.py writes beside
validated.tsv. Of the paper's seven pairs those are taken whose tables are there. Writes data/covost2_train
and covost2_valid (all pairs) and a test set for each pair, covost2_test_en_zh and so on. What is not used
stands in data/covost2_rejected.tsv.
"""

import argparse
import csv
import os
from pathlib import Path

from corpus_reader import names_in, need, read_columns, run_reader, tell_size, tell_test_alone

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

PAIRS = {  # (source, target) as Common Voice writes them: utterances for testing
    ("en", "de"): 15531,
    ("de", "en"): 13511,
    ("en", "zh-CN"): 15531,
    ("zh-CN", "en"): 4898,
    ("es", "en"): 13221,
    ("fr", "en"): 14760,
    ("it", "en"): 8951,
}
SPLITS = {"train": "train", "valid": "dev", "test": "test"}
COLUMNS = ("path", "sentence", "translation", "client_id")
LICENCE = "CoVoST 2 (Wang et al., 2020) and Common Voice 4: CC0-1.0.\n"


def main(args: argparse.Namespace) -> None:
    found = [pair for pair in PAIRS if table(args.corpus, *pair, "test").is_file()]
    absent = ", ".join("_".join(pair) for pair in PAIRS if pair not in found)
    if not found:
        folders = ", ".join(sorted({source for source, _ in PAIRS}))
        raise ValueError(
            f"{args.corpus}: needs a folder of {folders} with covost_v2.SRC_TGT.test.tsv, which CoVoST's"
            f" get_covost_splits.py writes, for one of {absent}; found {names_in(args.corpus)}"
        )
    print(f"{args.corpus}: {', '.join('_'.join(pair) for pair in found)}; not there: {absent or 'none'}")
    alone = not any(table(args.corpus, *pair, "train").is_file() for pair in found)
    if alone and not args.test_only:
        tell_test_alone(args.corpus, ["covost_v2.SRC_TGT.train.tsv"])
    splits = {"test": "test"} if alone or args.test_only else SPLITS
    for source, target in found:
        need(args.corpus / source, "clips", *(table(Path(), source, target, s).name for s in splits.values()))
    rejected: Rejected = []
    sources = {source for source, _ in found}
    clips = {source: set(os.listdir(args.corpus / source / "clips")) for source in sources}
    sets: dict[str, dict[str, Utterance]] = {}
    for source, target in found:
        for name, split in splits.items():
            if name == "test":
                name = f"test_{code(source)}_{code(target)}"
            rows = sets.setdefault(name, {})
            read = read_split(args.corpus, (source, target, split), clips[source], rows, rejected)
            if split == "test":
                tell_size(table(args.corpus, source, target, split), read, PAIRS[source, target])
    lists = {name: list(rows.values()) for name, rows in sets.items()}
    write_corpus(args.data, "covost2", lists, LICENCE, sorted(set(rejected)))


def table(corpus: Path, source: str, target: str, split: str) -> Path:
    return corpus / source / f"covost_v2.{source}_{target}.{split}.tsv"


def code(language: str) -> str:
    """Language as its tag names it: zh-CN is zh."""
    return language.partition("-")[0]


def read_split(
    corpus: Path, which: tuple[str, str, str], clips: set[str], rows: dict[str, Utterance], rejected: Rejected
) -> int:
    """Add a split of a pair to ``rows``: a clip that another pair has as well gets a second translation.

    Args:
        which: source, target, split.
        clips: names of the recordings of the source language.
        rows: utterances so far, by id.

    Returns:
        how many clips of the table can be used.
    """
    source, target, split = which
    read = 0
    path = table(corpus, source, target, split)
    for _, row in read_columns(path, COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"):
        name, speaker = row["path"], row["client_id"][:16]
        utt = f"{speaker}-{name.removesuffix('.mp3')}"
        text, translation = (" ".join(row[column].split()) for column in ("sentence", "translation"))
        if name not in clips:
            rejected.append(("text", f"{source}/{name}", "text without a recording"))
        elif not text or not translation:
            rejected.append(("text", f"{source}/{name}", "sentence or translation is empty"))
        else:
            read += 1
            audio = str(corpus / source / "clips" / name)
            utterance = rows.setdefault(utt, Utterance(utt, speaker, audio, text, code(source)))
            languages = {"audio_lang": code(source), "text_lang": code(target)}
            utterance.examples.append({"task": "s2tt", **languages, "text": translation})
    return read


if __name__ == "__main__":
    run_reader(main, __doc__)
