#!/usr/bin/env python3
"""ClothoAQA as published (zenodo.org/records/6473207): six questions a clip, each answered by three people.

    local/data.sh --corpus clotho_aqa

Reads audio_files/*.wav and clotho_aqa_{train,val,test}.csv (file_name, QuestionText, answer, confidence).
Writes data/clothoaqa_{train,valid,test}: an aqa row an answer, so three rows a question. That is how the
paper takes them: its list (clothoaqa_eval.jsonl) has a line for each person's answer, the model is right or
wrong against each of them, and its accuracy is the mean over lines; binary accuracy is that of the lines
whose answer is yes or no. Training hears all three. The confidences are not used.
"""

import argparse
import re
from pathlib import Path

from corpus_reader import need, read_columns, run_reader, sets_there, tell_size

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

COLUMNS = ("file_name", "QuestionText", "answer", "confidence")
# set -> (table, answers as published: 1174, 344 and 473 clips of 6 questions and 3 answers)
SETS = {"train": ("train", 21132), "valid": ("val", 6192), "test": ("test", 8514)}
LICENCE = """ClothoAQA (Lipping et al., 2022). Clips: Freesound licences, per clip in the corpus's
clotho_aqa_metadata.csv. Questions and answers: Tampere University licence, non-commercial, with attribution.
"""


def main(args: argparse.Namespace) -> None:
    need(args.corpus, "audio_files")
    places = {name: f"clotho_aqa_{split}.csv" for name, (split, _) in SETS.items()}
    there = sets_there(args.corpus, places, args.test_only)
    rejected: Rejected = []
    unasked = {path.name: path for path in (args.corpus / "audio_files").glob("*.wav")}
    clips, sets = dict(unasked), {}
    for name in there:
        split, published = SETS[name]
        table = args.corpus / f"clotho_aqa_{split}.csv"
        sets[name] = read_split(table, split, clips, rejected)
        tell_size(table, sum(len(u.examples) for u in sets[name]), published, "answers")
        for u in sets[name]:
            unasked.pop(Path(u.audio).name, None)
    if "train" in there:  # else they are asked about in tables that were not read
        rejected += [("recording", name, "recording without questions") for name in unasked]
    write_corpus(args.data, "clothoaqa", sets, LICENCE, rejected)


def read_split(table: Path, split: str, clips: dict[str, Path], rejected: Rejected) -> list[Utterance]:
    """The clips of a split with their questions, in the order of the table; a row an answer.

    Clips' names hold blanks and commas, so an utterance is called SPLIT-CLIP-NAME with the rest replaced.
    """
    rows: dict[str, Utterance] = {}
    for line, row in read_columns(table, COLUMNS):
        name = row[COLUMNS[0]]
        question, answer = (" ".join(row[column].split()) for column in COLUMNS[1:3])
        place = f"{table.name}:{line}"
        if not question or not answer:
            rejected.append(("answer", place, "empty question or answer"))
        elif name not in clips:
            rejected.append(("answer", place, f"question without a recording: {name}"))
        else:
            if name not in rows:
                short = re.sub(r"[^A-Za-z0-9]+", "-", name.removesuffix(".wav"))[:60].strip("-")
                utt = f"{split}-{len(rows) + 1:05d}-{short}"
                rows[name] = Utterance(utt, utt, str(clips[name]))
            rows[name].examples.append({"task": "aqa", "question": question, "answer": answer})
    return list(rows.values())


if __name__ == "__main__":
    run_reader(main, __doc__)
