"""Frames of audio, as a frozen encoder and adapter gave them, on disk: read instead of computed in every step.

A folder holds those of one frozen part (qwen_audio/train/frame_cache.py fills it):

| file | holds |
|---|---|
| frames.bin | (T, E) bfloat16 or float32 of every clip, one after another |
| clips.jsonl | a line each: spec, size and mtime_ns of its file, content, at (byte), frames, sha256 |

``content`` is the SHA-256 of the clip's samples: audio that stands in two places is kept once. A file of the same
size and time of change is taken to have the same content. ``sha256`` is that of the frames, compared at each reading.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qwen_audio.audio import file_state

FRAMES, CLIPS = "frames.bin", "clips.jsonl"


class FrameCache:
    """The frames of one frozen part.

    Args:
        folder: made if it is not there; what a kill left half-written is not read.
        width: E.
        dtype: of the frames.

    Attributes:
        size: bytes of the frames.
    """

    def __init__(self, folder: str | Path, width: int, dtype: torch.dtype):
        self.folder, self.width, self.dtype = Path(folder), width, dtype
        self.folder.mkdir(parents=True, exist_ok=True)
        os.utime(self.folder)  # the one used last is removed last
        self._by_file: dict[tuple, dict] = {}
        self._by_content: dict[str, dict] = {}
        self._chosen: dict[str, dict] = {}
        self._bytes: np.ndarray | None = None
        self.size = 0
        whole = self._read_clips()
        if whole < (self.folder / CLIPS).stat().st_size:
            os.truncate(self.folder / CLIPS, whole)

    def has(self, spec: str) -> bool:
        """Whether the frames of this audio, in its file's present state, are there; then ``frames`` gives them."""
        found = self._by_file.get((spec, *file_state(spec)))
        if found is not None:
            self._chosen[spec] = found
        return found is not None

    def add(self, spec: str, content: str, frames: Tensor | None = None) -> bool:
        """Keep the frames (T, E) of an audio.

        Args:
            content: hash of its samples (``content_of``).
            frames: needed only if no other audio has this content.

        Returns:
            whether the frames are there now.
        """
        row = self._by_content.get(content)
        if row is None:
            if frames is None:
                return False
            data = frames.to(self.dtype).contiguous().cpu().view(torch.uint8).numpy().tobytes()
            row = {"at": self.size, "frames": len(frames), "sha256": hashlib.sha256(data).hexdigest()}
            path = self.folder / FRAMES
            with open(path, "r+b" if path.exists() else "wb") as stream:
                stream.seek(row["at"])  # over what a kill left without its line
                stream.write(data)
        size, changed = file_state(spec)
        row = {**row, "spec": spec, "size": size, "mtime_ns": changed, "content": content}
        with open(self.folder / CLIPS, "ab") as stream:
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._remember(row)
        self._chosen[spec], self._bytes = row, None
        return True

    def frames(self, spec: str) -> Tensor:
        """(T, E) frames of an audio that ``has`` found or ``add`` kept.

        Raises:
            ValueError: if they are not what was written.
        """
        row = self._chosen[spec]
        if self._bytes is None:
            self._bytes = np.memmap(self.folder / FRAMES, dtype=np.uint8, mode="r")
        data = self._bytes[row["at"] : row["at"] + self._length(row)].tobytes()
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise ValueError(
                f"{self.folder / FRAMES}: the frames of {spec} are not those written; remove {self.folder}, it is"
                " made again"
            )
        return torch.frombuffer(bytearray(data), dtype=self.dtype).view(-1, self.width)

    def _read_clips(self) -> int:
        """Remember all whole lines; returns their bytes."""
        (self.folder / CLIPS).touch()
        whole = 0
        with open(self.folder / CLIPS, "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    self._remember(json.loads(line))
                    whole += len(line)
        return whole

    def _length(self, row: dict) -> int:
        return row["frames"] * self.width * self.dtype.itemsize

    def _remember(self, row: dict) -> None:
        self._by_file[row["spec"], row["size"], row["mtime_ns"]] = row
        self._by_content[row["content"]] = row
        self.size = max(self.size, row["at"] + self._length(row))


def content_of(samples: np.ndarray) -> str:
    """Hash of audio samples, or of features."""
    return hashlib.sha256(np.ascontiguousarray(samples)).hexdigest()
