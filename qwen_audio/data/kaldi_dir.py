"""Read and check a Kaldi data directory, one utterance at a time.

Read are wav.scp, utt2spk, and where they exist segments, text, utt2lang and examples.jsonl (spk2utt says the
same as utt2spk). All are sorted in byte order, so one pass over all of them side by side is enough and
nothing but the wav.scp of a set with segments is held in memory.

A fault of a file (order, duplicates, bytes that are no UTF-8, a malformed line, an unknown task) is a
ValueError naming file and line; a fault of one utterance (no audio, empty text) is a reason, and is counted.

Texts and the other fields of examples are composed (Unicode's NFC): an accented letter, or a syllable of Korean,
is one character, however the file spells it; against decomposed text, a right answer that is composed would count as
wrong. Ids, audio and what else an example holds stay as they are.
"""

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from qwen_audio.data.first_seconds import first_seconds

DEFAULT_LANGUAGE = "en"  # of text where there is no utt2lang
SORT = "sort it with `LC_ALL=C sort -o {0} {0}`"
SORT_ROWS = "write the rows in the byte order of 'utt'"


@dataclass
class Utterance:
    """One utterance as the directory has it.

    Attributes:
        recording: id in wav.scp; without segments the same as ``id``.
        audio: what wav.scp says: a path, ``file.ark:offset`` or a command (see qwen_audio/data/command.py).
        start, end: seconds of the segment; None for the whole recording, end -1 for its end.
        examples: rows of examples.jsonl, after that of ``text`` as a row of the task asr.
        refused: (task, reason) of each example that cannot be used.
        reason: why the utterance as a whole cannot be used; empty if it can.
    """

    id: str
    recording: str = ""
    audio: str = ""
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    examples: list[dict] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    reason: str = ""


def fields(line: str) -> list[str]:
    """The parts of a table's line between ASCII blanks, as Kaldi splits: an id may hold others, such as U+3000."""
    return [part.decode() for part in line.encode().split()]


def read_table(path: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Yield (id, (line number, rest of the line)) of a file sorted by id, each id once.

    Raises:
        ValueError: naming path:line, what is wrong and the mend.
    """
    last = b""
    for number, line in _lines(path):
        key, *rest = line.split(None, 1)  # of bytes: at ASCII blanks only, as Kaldi does
        name = key.decode()
        if key == last:
            raise ValueError(f"{path}:{number}: {name!r} is there twice; keep one of the lines")
        if key < last:
            raise ValueError(f"{path}:{number}: {name!r} comes after {last.decode()!r}; {SORT.format(path)}")
        last = key
        yield name, (number, rest[0].strip().decode() if rest else "")


def read_examples(path: Path, tasks: Mapping) -> Iterator[tuple[str, list[tuple[int, dict]]]]:
    """Yield (utt, [(line number, row), ...]) of examples.jsonl, sorted by utt.

    Raises:
        ValueError: naming path:line of what is no JSON object, no text that UTF-8 can write, has no utt, an
            unknown task or lacks a field.
    """
    for utt, rows in groupby(_rows(path, tasks), key=lambda item: item[1]["utt"]):
        yield utt, list(rows)


def _rows(path: Path, tasks: Mapping) -> Iterator[tuple[int, dict]]:
    last = ""
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not JSON ({error}); write one object a line") from None
        if not isinstance(row, dict) or not isinstance(row.get("utt"), str) or not row["utt"]:
            raise ValueError(f"{path}:{number}: has no 'utt'; a row is an object with 'utt' and 'task'")
        if row["utt"] < last:
            raise ValueError(f"{path}:{number}: {row['utt']!r} comes after {last!r}; {SORT_ROWS}")
        last = row["utt"]
        if b"\\u" in line and _half_pair(row):
            raise ValueError(
                f"{path}:{number}: holds half a surrogate pair, which is no character; write it in UTF-8"
            )
        task = row.get("task")
        if not isinstance(task, str) or task not in tasks:
            raise ValueError(f"{path}:{number}: unknown task {task!r}; known: {', '.join(sorted(tasks))}")
        missing = [name for name in tasks[task].fields if name not in row]
        if missing:
            raise ValueError(f"{path}:{number}: task {task} needs the field {missing[0]!r}; add it")
        yield number, row


def _half_pair(row: dict) -> bool:
    """Whether a text of the row cannot be written as UTF-8; JSON can, as ``\\ud83d``."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


class KaldiDir:
    """A data directory; utterances() is the one pass over it.

    Args:
        path: the directory.
        tasks: name -> TaskSpec, of load_tasks().
        labelled: an utterance without an example has that as its reason; False where they are yet to be made.
        seconds: of examples, what lies within the first so many is to be right (see first_seconds), as the rest may be
            cut off with the audio; None: all.

    Raises:
        ValueError: if wav.scp, utt2spk, or both text and examples.jsonl are missing (these if ``labelled``).
    """

    def __init__(self, path: Path | str, tasks: Mapping, labelled: bool = True, seconds: float | None = None):
        self.path, self.tasks, self.labelled, self.seconds = Path(path), tasks, labelled, seconds
        for name in ("wav.scp", "utt2spk"):
            if not (self.path / name).is_file():
                hint = "; where speakers are unknown, write `utt utt`" if name == "utt2spk" else ""
                raise ValueError(f"{self.path / name} does not exist; a Kaldi data directory needs it{hint}")
        if labelled and not any((self.path / name).is_file() for name in ("text", "examples.jsonl")):
            raise ValueError(f"{self.path} has neither text nor examples.jsonl; one of them holds the labels")
        self.default_language = "" if self._has("utt2lang") else DEFAULT_LANGUAGE
        self.languages = {""}  # known to have a token; the empty one is refused per utterance

    def utterances(self) -> Iterator[Utterance]:
        """Every utterance that any of the files names, in byte order of the ids.

        Raises:
            ValueError: naming file:line, as read_table and read_examples.
        """
        by_utt = ("utt2spk", "text", "utt2lang")
        tables = {name: read_table(self.path / name) for name in by_utt if self._has(name)}
        if self._has("examples.jsonl"):
            tables["examples"] = read_examples(self.path / "examples.jsonl", self.tasks)
        recordings = {}
        if self._has("segments"):
            tables["segments"] = read_table(self.path / "segments")
            recordings = {name: self._audio(*entry) for name, entry in read_table(self.path / "wav.scp")}
        else:
            tables["audio"] = read_table(self.path / "wav.scp")
        for name, found in join(tables):
            utterance = Utterance(name)
            if "segments" in found:
                self._cut(utterance, *found["segments"], recordings)
            elif "audio" in found:
                utterance.recording, utterance.audio = name, self._audio(*found["audio"])
            else:
                utterance.reason = f"no audio: not in {'segments' if 'segments' in tables else 'wav.scp'}"
            self._label(utterance, found)
            yield utterance

    def _has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def _audio(self, number: int, spec: str) -> str:
        if not spec:
            mend = "write `id path`, `id file.ark:offset` or `id command |`"
            raise ValueError(f"{self.path / 'wav.scp'}:{number}: no audio file after the id; {mend}")
        return spec

    def _cut(self, utterance: Utterance, number: int, rest: str, recordings: dict[str, str]) -> None:
        where, values = f"{self.path / 'segments'}:{number}", fields(rest)
        try:
            utterance.recording, utterance.start, utterance.end = values[0], *map(float, values[1:])
        except (ValueError, IndexError):
            raise ValueError(f"{where}: {rest!r}; write `utt recording start_s end_s`") from None
        start, end = utterance.start, utterance.end
        if not (math.isfinite(start) and math.isfinite(end)) or start < 0 or end < 0 and end != -1:
            raise ValueError(f"{where}: times {start} {end}; write seconds from 0 on, -1 for the very end")
        utterance.audio = recordings.get(utterance.recording, "")
        if not utterance.audio:
            utterance.reason = f"no audio: recording {utterance.recording} is not in wav.scp"
        elif end != -1 and end <= start:
            utterance.reason = f"zero length: segment from {start} to {end} s"

    def _label(self, utterance: Utterance, found: dict) -> None:
        """Fill in speaker and examples; find a reason where there are none to use."""
        utterance.speaker = found["utt2spk"][1] if "utt2spk" in found else ""
        rows = []
        if "text" in found:
            rows.append(self._transcript(utterance.id, found))
        rows += [row for _, row in found.get("examples", ())]
        for row in rows:
            task = self.tasks[row["task"]]
            row = _composed(row, task)
            fault = _fault(row, task) if self.seconds is None else self._fault_within(row, task)
            if fault:
                utterance.refused.append((row["task"], fault))
            else:
                utterance.examples.append(row)
        if not utterance.reason and not utterance.speaker:
            utterance.reason = "no speaker: not in utt2spk"
        if self.labelled and not utterance.reason and not utterance.examples:
            unlabelled = [("", "no label: not in text or examples")]
            utterance.reason = (utterance.refused or unlabelled)[0][1]

    def _fault_within(self, row: dict, task) -> str:
        """Why what lies within the first seconds of an example cannot be used; empty if it can."""
        kept = first_seconds(row, task, self.seconds)
        for name in task.fields:
            if row[name] and kept[name] == [] and task.kind(name).fault([]):
                return f"nothing within the first {self.seconds:g} s: {name} of task {task.name}"
        return _fault(kept, task)

    def _transcript(self, utt: str, found: dict) -> dict:
        """The line of ``text`` as an example."""
        number, language = found.get("utt2lang", (0, self.default_language))
        row = {"utt": utt, "task": "asr", "audio_lang": language, "text_lang": language}
        if language not in self.languages:
            try:
                self.tasks["asr"].check({**row, "text": "any"})
            except ValueError as error:
                raise ValueError(f"{self.path / 'utt2lang'}:{number}: {error}") from None
            self.languages.add(language)
        return {**row, "text": found["text"][1]}


def join(tables: Mapping[str, Iterator[tuple[str, object]]]) -> Iterator[tuple[str, dict]]:
    """Outer join of tables sorted by key: yield (key, {table: value}) with the tables that have the key."""
    heads = {name: next(table, None) for name, table in tables.items()}
    while any(heads.values()):
        key = min(head[0] for head in heads.values() if head)
        found = {name: head[1] for name, head in heads.items() if head and head[0] == key}
        for name in found:
            heads[name] = next(tables[name], None)
        yield key, found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of a file that is UTF-8 and has no empty line."""
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                wrong = f"byte 0x{line[error.start]:02x} at column {error.start + 1}"
                mend = f"convert the file: iconv -f latin1 -t utf-8 {path}"
                raise ValueError(f"{path}:{number}: not UTF-8 ({wrong}); {mend}") from None
            if line.startswith(b"\xef\xbb\xbf"):
                mend = f"remove it: sed -i '1s/^\\xEF\\xBB\\xBF//' {path}"
                raise ValueError(f"{path}:{number}: begins with a byte order mark; {mend}")
            if not line.strip():
                raise ValueError(f"{path}:{number}: empty line; remove it")
            yield number, line


def _composed(row: dict, task) -> dict:
    """The example with the fields of its task in NFC."""
    names = (*task.fields, *task.optional_fields)
    return row | {name: _nfc(row[name]) for name in names if name in row}


def _nfc(value):
    """A field of any kind with its texts in NFC."""
    if isinstance(value, list):
        return [_nfc(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _fault(row: dict, task) -> str:
    """Why an example cannot be used; empty if it can."""
    if row["task"] == "asr" and not row["audio_lang"]:
        return "no language: not in utt2lang"
    empty = [name for name in task.fields if row[name] == ""]
    if empty:
        return f"empty {empty[0]}: task {row['task']}"
    text = row.get("text")
    if isinstance(text, str) and "<|" in text:
        return f"tag in text: {text[:60]!r}; tags never stand in the text"
    try:
        task.check(row)
    except ValueError as error:
        return f"bad field: {error}"
    return ""
