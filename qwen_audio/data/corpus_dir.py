"""Write Kaldi data directories: what local/data.sh of every recipe ends in."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qwen_audio.audio import is_command
from qwen_audio.data.leak import (
    Recordings,
    by_short_id,
    recordings_in,
    sentences_of,
    shared_recordings,
)
from qwen_audio.data.split import SPLITS, normalise_sentence
from qwen_audio.task_spec import TaskSpec, load_tasks


@dataclass
class Utterance:
    """One utterance: a whole recording, or a segment of one.

    Attributes:
        utt: its id; starts with ``spk``, so that Kaldi's two sort orders agree.
        audio: path of the recording, or a command (see qwen_audio/data/command.py).
        text: transcript, None where nothing is transcribed.
        lang: code of the language spoken, None where nothing is spoken.
        segment: (recording id, start, end) with times in seconds; None for the whole recording.
        examples: rows of examples.jsonl, without their ``utt``.
    """

    utt: str
    spk: str
    audio: str
    text: str | None = None
    lang: str | None = None
    segment: tuple[str, float, float] | None = None
    examples: list[dict] = field(default_factory=list)

    @property
    def recording(self) -> tuple[str, str]:
        """Id and absolute path of its recording, or the command that writes it: a line of wav.scp."""
        audio = self.audio if is_command(self.audio) else os.path.abspath(self.audio)
        return self.segment[0] if self.segment else self.utt, audio

    def sentences(self, tasks: Mapping[str, TaskSpec]) -> set[str]:
        """Its transcripts and translations, normalised."""
        texts = [
            self.text or "",
            *(text for row in self.examples for text in tasks[row["task"]].sentences(row)),
        ]
        return {normalise_sentence(text) for text in texts} - {""}


Rejected = list[tuple[str, str, str]]  # (kind, id, reason)


def write_corpus(
    data: Path, corpus: str, sets: Mapping[str, list[Utterance]], licence: str, rejected: Rejected
) -> None:
    """Write all sets of a corpus, ``data/CORPUS_NAME``, without a leak, and what was not used.

    An utterance for training is dropped if valid or test has its recording or its sentence, one of valid or test
    if another corpus trains on it; both are counted in ``data/CORPUS_rejected.tsv``. The names go to
    ``data/sets.json``. ``check_leak`` proves it of all corpora together when they are written.

    Args:
        sets: utterances by name: ``train``, ``valid``, either of which may be left out; any other name is a
            test set.

    Raises:
        ValueError: if a set is empty.
    """
    data, rejected, tasks = Path(data), list(rejected), load_tasks()
    others = {
        split: [data / name for name in names if not name.startswith(f"{corpus}_")]
        for split, names in read_sets(data).items()
    }
    held = {name: rows for name, rows in sets.items() if name != "train"}
    learnt = map(recordings_in, others["train"]), sentences_of(others["train"])
    held = _apart(held, *learnt, rejected, tasks)
    tested = others["valid"] + others["test"]
    heard, asked = [*map(_recordings, held.values()), *map(recordings_in, tested)], sentences_of(tested)
    for name, rows in held.items():
        asked |= {sentence: f"{corpus}_{name}" for u in rows for sentence in u.sentences(tasks)}
    trained = _apart({name: sets[name] for name in sets if name == "train"}, heard, asked, rejected, tasks)
    for name, rows in {**trained, **held}.items():
        write_set(data / f"{corpus}_{name}", rows, licence)
    write_rejected(data / f"{corpus}_rejected.tsv", rejected)
    names = {split: [f"{corpus}_{name}" for name in sets if name == split] for split in ("train", "valid")}
    names["test"] = [f"{corpus}_{name}" for name in sets if name not in names]
    record_sets(data, **names)


def _apart(
    sets: Mapping[str, list[Utterance]],
    heard: Iterable[Recordings],
    said: Mapping[str, str],
    rejected: Rejected,
    tasks: Mapping[str, TaskSpec],
) -> dict[str, list[Utterance]]:
    """``sets`` without the utterances whose recording or sentence is of the other side; those are ``rejected``."""
    shared, _ = shared_recordings(by_short_id(map(_recordings, sets.values())), by_short_id(heard))
    kept: dict[str, list[Utterance]] = {name: [] for name in sets}
    for name, u in ((name, u) for name, rows in sets.items() for u in rows):
        spoken = sorted(u.sentences(tasks) & said.keys())
        if (spec := u.recording[1]) in shared:
            rejected.append(
                ("utterance", u.utt, f"its recording stands on the other side of the split: {shared[spec]}")
            )
        elif spoken:
            rejected.append(
                ("utterance", u.utt, f"its sentence stands on the other side of the split: {spoken[0]}")
            )
        else:
            kept[name].append(u)
    return kept


def _recordings(rows: list[Utterance]) -> Recordings:
    """As ``recordings_in`` reads them where ``rows`` are written."""
    return dict(u.recording for u in rows), {u.utt: u.spk for u in rows if not u.segment}


def write_set(directory: Path, utterances: Iterable[Utterance], licence: str) -> None:
    """Write one data directory, all files sorted by byte as Kaldi wants them; an old one is replaced.

    Raises:
        ValueError: naming the utterance whose id, speaker, text or segment cannot stand in a data directory.
    """
    directory = Path(directory)
    rows = sorted(utterances, key=lambda u: u.utt.encode())
    _check(directory, rows)
    fresh = directory.with_name(f".{directory.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    recordings = dict(u.recording for u in rows)
    speakers: dict[str, list[str]] = {}
    for u in rows:
        speakers.setdefault(u.spk, []).append(u.utt)
    _write(fresh / "wav.scp", recordings)
    _write(fresh / "utt2spk", {u.utt: u.spk for u in rows})
    _write(fresh / "spk2utt", {spk: " ".join(utts) for spk, utts in speakers.items()})
    _write(fresh / "text", {u.utt: u.text for u in rows if u.text is not None})
    _write(fresh / "utt2lang", {u.utt: u.lang for u in rows if u.lang is not None})
    _write(fresh / "segments", {u.utt: "{} {:.3f} {:.3f}".format(*u.segment) for u in rows if u.segment})
    examples = [{"utt": u.utt} | row for u in rows for row in u.examples]
    if examples:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples)
        (fresh / "examples.jsonl").write_text(lines, encoding="utf-8")
    (fresh / "licence.txt").write_text(licence, encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    fresh.rename(directory)
    tasks = Counter(row["task"] for row in examples) + Counter(asr=sum(u.text is not None for u in rows))
    print(
        f"{directory}: {len(rows)} utterances; "
        + ", ".join(f"{n} {task}" for task, n in sorted(tasks.items()))
    )


def read_sets(data: Path) -> dict[str, list[str]]:
    """``data/sets.json``: names of the sets by split, those whose directory is gone left out."""
    path = Path(data) / "sets.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    return {
        split: [name for name in known.get(split, []) if (Path(data) / name).is_dir()] for split in SPLITS
    }


def record_sets(data: Path, **names: list[str]) -> dict[str, list[str]]:
    """Add the names of sets by split to ``data/sets.json``; returns all."""
    merged = {split: sorted({*known, *names.get(split, ())}) for split, known in read_sets(data).items()}
    fresh = Path(data) / "sets.json.new"
    fresh.write_text(json.dumps(merged, indent=1) + "\n")
    fresh.replace(Path(data) / "sets.json")
    return merged


def write_rejected(path: Path, rejected: Rejected) -> None:
    """Write and count what was read but not used: rows (kind, id, reason)."""
    rows = sorted(rejected)
    Path(path).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    for (kind, reason), count in sorted(Counter((row[0], row[2].split(":")[0]) for row in rows).items()):
        print(f"{path}: {count} {kind} not used: {reason}")


def _check(directory: Path, rows: list[Utterance]) -> None:
    if not rows:
        raise ValueError(f"{directory}: no utterance is left for it; give a corpus with more recordings")
    if len({u.segment is None for u in rows}) > 1:
        raise ValueError(f"{directory}: some utterances are segments and some are not; Kaldi wants one kind")
    for before, u in zip([None, *rows], rows, strict=False):
        if before and before.utt == u.utt:
            raise ValueError(f"{directory}: utterance {u.utt} twice; make the ids differ")
        if not u.utt.startswith(u.spk) or len((u.utt + u.spk).split()) != 1:
            raise ValueError(
                f"{directory}: utterance {u.utt!r} must start with its speaker {u.spk!r}, without blanks"
            )
        if u.text is not None and (not u.text.strip() or len(u.text.splitlines()) > 1):
            raise ValueError(f"{directory}: text of {u.utt} is {u.text!r}; write one line that is not empty")


def _write(path: Path, table: Mapping[str, str]) -> None:
    if table:
        rows = sorted(table.items(), key=lambda item: item[0].encode())
        path.write_text("".join(f"{key} {value}\n" for key, value in rows), encoding="utf-8")
