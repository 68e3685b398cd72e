#!/usr/bin/env python3
"""AISHELL-2 as published: iOS/data for training, AISHELL-DEV-TEST-SET/{iOS,Android,Mic}/{dev,test}.

    python3 local/aishell2.py --corpus AISHELL-2 --data data

Each of these folders has wav.scp (UTT<TAB>wav/SPEAKER/UTT.wav) and trans.txt (UTT<TAB>TEXT). Writes
data/aishell2_train, aishell2_valid (dev of iOS, the channel of the training data) and
aishell2_test_{mic,ios,android}. What is not used stands in data/aishell2_rejected.tsv.
"""

import argparse
from pathlib import Path

from corpus_reader import need, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

HELD_OUT = "AISHELL-DEV-TEST-SET"
SETS = {  # name: (folder, utterances)
    "train": ("iOS/data", 1009223),
    "valid": (f"{HELD_OUT}/iOS/dev", 2500),
    "test_mic": (f"{HELD_OUT}/Mic/test", 5000),
    "test_ios": (f"{HELD_OUT}/iOS/test", 5000),
    "test_android": (f"{HELD_OUT}/Android/test", 5000),
}
LICENCE = "AISHELL-2 (Du et al., 2018): free for research and education, on application; not for commerce.\n"


def main(args: argparse.Namespace) -> None:
    rejected: Rejected = []
    sets = {}
    places = {name: f"{folder}/wav.scp" for name, (folder, _) in SETS.items()}
    for name in sets_there(args.corpus, places, args.test_only):
        folder, size = SETS[name]
        need(args.corpus, f"{folder}/wav.scp", f"{folder}/trans.txt")
        sets[name] = read_set(args.corpus / folder, rejected)
        tell_size(args.corpus / folder, len(sets[name]), size)
    write_corpus(args.data, "aishell2", sets, LICENCE, rejected)


def read_set(folder: Path, rejected: Rejected) -> list[Utterance]:
    """The utterances of a folder that have both a recording and a text; the others go to ``rejected``."""
    texts = read_pairs(folder / "trans.txt", rejected)
    rows = []
    for utt, name in read_pairs(folder / "wav.scp", rejected).items():
        text = texts.pop(utt, None)
        if text is None:
            rejected.append(("recording", utt, "recording without a text"))
        elif not (folder / name).is_file():
            rejected.append(("text", utt, "text without a recording"))
        else:
            rows.append(Utterance(utt, utt.partition("W")[0], str(folder / name), text, "zh"))
    rejected += [("text", utt, "text without a recording") for utt in texts]
    return rows


def read_pairs(path: Path, rejected: Rejected) -> dict[str, str]:
    """First column -> the rest, of a file with a tab between them.

    A line with nothing after the utterance, and an utterance that comes again with something else, go to
    ``rejected``: one fault is not to end the reading of a million.

    Raises:
        ValueError: naming the line that has blanks instead of a tab, as other files than AISHELL-2's have.
    """
    pairs: dict[str, str] = {}
    twice: set[str] = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        utt, rest = (part.strip() for part in line.partition("\t")[::2])
        if len(utt.split()) > 1:
            raise ValueError(f"{path}:{number}: {line!r}; AISHELL-2 has UTTERANCE, a tab and more")
        if not utt or not rest:
            rejected.append(("line", f"{path}:{number}", f"no utterance or nothing behind it: {line!r}"))
        elif pairs.setdefault(utt, rest) != rest:
            twice.add(utt)
    for utt in twice:
        del pairs[utt]
        rejected.append(("utterance", utt, f"on two lines that differ: {path}"))
    return pairs


if __name__ == "__main__":
    run_reader(main, __doc__)
