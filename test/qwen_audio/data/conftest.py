"""A data directory in the making, for the tests of stage 1."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from qwen_audio.data.prepare import prepare
from qwen_audio.task_fields import Text

RATE = 16000


def task(*fields: str) -> SimpleNamespace:
    """A stand-in for TaskSpec."""
    plain = {"kind": lambda name: Text(), "check": lambda row: None}
    return SimpleNamespace(fields=list(fields), optional_fields=[], **plain)


TASKS = {"asr": task("audio_lang", "text_lang", "text"), "sec": task("label")}


class Set:
    """A data directory in the making; ``run`` prepares it."""

    def __init__(self, folder):
        self.folder, self.data, self.target = folder, folder / "data", folder / "dump" / "raw" / "set"
        self.data.mkdir()
        self.files = {"wav.scp": {}, "utt2spk": {}, "text": {}}

    def audio(self, name: str, seconds: float, rate: int = RATE, form: str = "wav") -> np.ndarray:
        """Noise of its own under ``name``; returns it as written."""
        path = self.folder / f"{name}.{form}"
        wave = np.random.default_rng(len(name) + ord(name[-1])).uniform(-0.5, 0.5, round(seconds * rate))
        soundfile.write(path, wave, rate)
        self.files["wav.scp"][name] = str(path)
        return wave

    def add(self, utt: str, seconds: float = 1.0, rate: int = RATE, form: str = "wav", text: str = "hello"):
        self.files["utt2spk"][utt], self.files["text"][utt] = "s", text
        return self.audio(utt, seconds, rate, form)

    def segment(self, utt: str, recording: str, start: float, end: float, text: str = "hello") -> None:
        self.files.setdefault("segments", {})[utt] = f"{recording} {start} {end}"
        self.files["utt2spk"][utt], self.files["text"][utt] = "s", text

    def run(self, **options) -> dict:
        for name, rows in self.files.items():
            lines = sorted(f"{key} {value}\n" for key, value in rows.items())
            (self.data / name).write_text("".join(lines), encoding="utf-8")
        return prepare(self.data, self.target, TASKS, **options)

    def table(self, name: str) -> dict:
        return dict(line.split(" ", 1) for line in (self.target / name).read_text().splitlines())

    def rejected(self) -> list[list[str]]:
        return [line.split("\t") for line in (self.target / "rejected.tsv").read_text().splitlines()]

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.target.parent.glob("*") if path != self.target)


@pytest.fixture
def corpus(tmp_path):
    return Set(tmp_path)
