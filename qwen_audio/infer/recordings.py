"""Recordings to transcribe: named or listed, shared among machines, without those that were done before."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import yaml

from qwen_audio.arkio import split_spec
from qwen_audio.backbone import resolve
from qwen_audio.data.kaldi_dir import read_table
from qwen_audio.data.word_writers import FORMATS
from qwen_audio.ffmpeg import any_blocks

ASKED = "asked.yaml"


class Recording:
    """Audio that libsndfile or ffmpeg reads.

    Attributes:
        name: what its transcript is called.
        audio: path, or ``file.ark:offset``.
        stem: of the files of its transcript.
        samples: how many were read, at 16 kHz.
    """

    def __init__(self, name: str, audio: str, stem: str):
        self.name, self.audio, self.stem, self.samples = name, audio, stem, 0

    def blocks(self) -> Iterator[np.ndarray]:
        """The wave in pieces. Raises: AudioError as any_blocks."""
        for block in any_blocks(self.audio):
            self.samples += len(block)
            yield block


def named_recordings(paths: list[str]) -> list[Recording]:
    """Files, each called as it is without folder and suffix; one that is named twice counts once.

    Raises:
        ValueError: naming the file that is missing, or two that would be called the same.
    """
    named: dict[str, str] = {}
    for path in paths:
        if not Path(path).is_file():
            raise ValueError(f"--audio {path}: there is no such file")
        name = Path(path).stem
        other = named.setdefault(name, path)
        if other != path:
            raise ValueError(
                f"--audio {other} and {path} would both be written as {name}; give each an id in a file of lines"
                " ID PATH, and name that: --scp wav.scp"
            )
    return [Recording(name, path, name) for name, path in named.items()]


def listed_recordings(scp: str) -> list[Recording]:
    """The recordings of a wav.scp, called by their ids.

    Raises:
        ValueError: if it lists none, or as read_table.
    """
    found = [Recording(name, audio, quote(name, safe=" ")) for name, (_, audio) in read_table(Path(scp))]
    if not found:
        raise ValueError(f"--scp {scp} lists no recording; write ID PATH lines")
    return found


def shard_of(recordings: list[Recording], shard: str) -> list[Recording]:
    """Every N-th recording, from the I-th on, of ``I/N``. Raises: ValueError if it is no such pair."""
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(
            f"--shard is {shard!r}; write I/N with I from 1 to N, such as 1/4 for the first of four"
        )
    return recordings[int(match[1]) - 1 :: int(match[2])]


def asked_since(output: Path, asked: dict, model: str) -> float:
    """When transcripts in ``output`` began to be what is asked for now, as a file's time: older ones are others.

    ``output/asked.yaml`` says what is asked; it is written where it does not stand or says otherwise.

    Args:
        asked: how recordings are transcribed: what YAML holds.
        model: folder of the model; its weights may be newer than what it is asked.
    """
    output.mkdir(parents=True, exist_ok=True)
    path, content = output / ASKED, yaml.safe_dump(asked, allow_unicode=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")
    folder = Path(resolve(model))
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    return max(os.path.getmtime(each) for each in [path, *weights])


def not_done(recordings: list[Recording], output: Path, formats: list[str], since: float) -> list[Recording]:
    """Those of which a file in ``formats`` is missing, older than ``since``, or older than the audio."""
    suffixes = [FORMATS[name].suffix for name in formats]
    found = []
    for recording in recordings:
        files = [output / f"{recording.stem}{suffix}" for suffix in suffixes]
        source, _ = split_spec(recording.audio) or (recording.audio, 0)
        begin = max(since, os.path.getmtime(source)) if os.path.exists(source) else since
        if not all(file.is_file() and file.stat().st_mtime >= begin for file in files):
            found.append(recording)
    return found
