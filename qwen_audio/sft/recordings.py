"""What a prepared set knows of its recordings: the source of every dialogue of that set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text
from qwen_audio.data.kaldi_dir import read_examples
from qwen_audio.data.prepared import PreparedSet


@dataclass(frozen=True)
class Recording:
    """A recording and its examples; ``audio`` as qwen_audio/audio.py reads it."""

    utt: str
    audio: str
    seconds: float
    rows: tuple[dict, ...]

    def of(self, task: str) -> list[dict]:
        """Its examples of ``task``."""
        return [row for row in self.rows if row["task"] == task]


def read_recordings(folder: Path, tasks: Mapping) -> list[Recording]:
    """The recordings of ``folder``, a prepared set (dump/raw/SET), by id.

    Raises:
        ValueError: the set holds features instead of audio, or a file of it is broken.
    """
    prepared = PreparedSet(folder)
    audio, seconds = prepared.audio, prepared.seconds
    found = []
    for utt, rows in read_examples(prepared.examples, tasks):
        for number, row in rows:
            try:
                tasks[row["task"]].check(row)
            except ValueError as error:
                raise ValueError(f"{prepared.examples}:{number}: {error}") from None
        if utt not in audio or utt not in seconds:
            raise ValueError(f"{folder}: {utt} of examples.jsonl has no line in wav.scp or utt2num_samples")
        found.append(Recording(utt, audio[utt], seconds[utt], tuple(row for _, row in rows)))
    return found


def user(audios: list[str], text: str) -> Message:
    """What the user says: the recordings, then the question."""
    return Message("user", (*map(Audio, audios), Text(text)))


def assistant(text: str) -> Message:
    return Message("assistant", (Text(text),))


def origin(rows) -> str:
    """Where the labels of ``rows`` come from: ``real``, ``constructed``, ``synthetic`` or several of them.

    What follows from the recordings alone, such as their length, has no rows and is real.
    """
    return "+".join(sorted({row.get("label_origin", "real") for row in rows})) or "real"


def dialogue(name: str, messages: list[Message], source: str, task: str, rows, facts: dict) -> Dialogue:
    about = {"source": source, "task": task, "label_origin": origin(rows), "facts": facts}
    return Dialogue(name, tuple(messages), about)
