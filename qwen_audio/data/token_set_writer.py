"""Write a tokenised set (see token_set.py) as a stream: it may be larger than memory."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

from qwen_audio.data.array_file import ArrayFile
from qwen_audio.data.token_set import BLOCK, CLIP_DTYPE, COUNTS, ROW_DTYPE


class TokenSetWriter:
    """Write a TokenSet row by row; the folder appears, complete, on close.

    Example:
        >>> with TokenSetWriter("dump/tokens/train") as writer:                            # doctest: +SKIP
        ...     utt = writer.add_audio("utt1", "clips/utt1.flac")
        ...     writer.add([5, 6], [7, 2], ctc=[7], samples=16000, task="asr", utt_row=utt, line=0)
        ...     writer.close({"tokenizer": "exp/tokenizer", "pad": 0, "placeholder": 6, "feats_type": "raw"})
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        self.counts: dict[str, dict[str, int]] = {}  # its order is that of meta["tasks"]
        self._digest = hashlib.sha256()
        self._tokens = ArrayFile(self.partial / "tokens.npy", np.dtype("<i4"))
        self._rows = ArrayFile(self.partial / "rows.npy", ROW_DTYPE)
        self._names = {name: open(self.partial / f"{name}.txt", "wb") for name in ("utts", "audio")}
        self._audios = 0
        self._widths = {"utts": 1, "audio": 1}
        self._waiting: list[tuple] = []
        self._clips: ArrayFile | None = None  # from the first audio of a dialogue on

    def __enter__(self) -> "TokenSetWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self._close_files()
            shutil.rmtree(self.partial, ignore_errors=True)

    def add_audio(self, utt: str, spec: str) -> int:
        """Register an audio; the number returned is ``utt_row`` of the examples over it."""
        for name, value in (("utts", utt), ("audio", spec)):
            coded = value.encode()
            self._widths[name] = max(self._widths[name], len(coded))
            self._names[name].write(coded + b"\n")
        self._audios += 1
        return self._audios - 1

    def add(
        self,
        tokens_prompt: list[int],
        tokens_target: list[int],
        ctc: list[int],
        samples: int,
        task: str,
        utt_row: int,
        line: int,
    ) -> None:
        """Append one example; see ROW_DTYPE, and tokens.npy for what is not supervised in the target.

        Raises: ValueError if there is nothing to supervise.
        """
        if not len(tokens_target):
            raise ValueError(
                f"the example at byte {line} has no target token; reject it when data are prepared"
            )
        start = self._tokens.length
        ctc_start = start + len(tokens_prompt) + len(tokens_target)
        block = np.array([*tokens_prompt, *tokens_target, *ctc], dtype="<i4")
        self._digest.update(self._tokens.append(block))
        sums = self.counts.setdefault(task, dict.fromkeys(COUNTS, 0))
        values = (1, samples, len(tokens_prompt), len(tokens_target), len(ctc))
        for name, value in zip(COUNTS, values, strict=True):
            sums[name] += int(value)
        number = list(self.counts).index(task)
        lengths = (len(tokens_prompt), len(tokens_target), samples)
        self._waiting.append((start, *lengths, ctc_start, len(ctc), number, utt_row, line))
        if len(self._waiting) >= BLOCK:
            self._flush()

    def add_dialogue(
        self,
        tokens: list[int],
        trained: list[bool],
        audios: list[tuple[str, int]],
        task: str,
        name: str,
        line: int,
    ) -> None:
        """Append a dialogue; a set holds dialogues or examples, not both.

        Args:
            trained: of each token, whether it is supervised.
            audios: audio spec and length in samples of each placeholder in ``tokens``.
            name: of the dialogue.

        Raises:
            ValueError: if there is nothing to supervise.
        """
        if not any(trained):
            raise ValueError(f"dialogue {name} has no word of the assistant to learn; leave it out")
        first = trained.index(True)
        target = [
            token if own else ~token for token, own in zip(tokens[first:], trained[first:], strict=True)
        ]
        utt_row = self._audios if audios else -1
        for spec, samples in audios:
            self.add_audio(name, spec)
            self._clips = self._clips or ArrayFile(self.partial / "clips.npy", CLIP_DTYPE)
            clip = np.array([(self._rows.length + len(self._waiting), samples)], dtype=CLIP_DTYPE)
            self._digest.update(self._clips.append(clip))
        self.add(tokens[:first], target, [], sum(samples for _, samples in audios), task, utt_row, line)

    def close(self, meta: dict) -> None:
        """Write the index and ``meta``, with tasks, counts and sha256, and move the folder into place."""
        if not self.counts:
            raise ValueError(
                f"{self.folder} would be empty: no example was added; see rejected.tsv of the set"
            )
        self._flush()
        self._close_files()
        for name, width in self._widths.items():
            self._write_names(name, width)
        self._write_index()
        meta = {**meta, "tasks": list(self.counts), "counts": self.counts, "sha256": self._digest.hexdigest()}
        (self.partial / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        for path in self.partial.iterdir():
            with open(path, "rb") as stream:
                os.fsync(stream.fileno())
        old = self.folder.with_name(self.folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            os.rename(self.folder, old)
        os.rename(self.partial, self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def _flush(self) -> None:
        self._digest.update(self._rows.append(np.array(self._waiting, dtype=ROW_DTYPE)))
        self._waiting = []

    def _close_files(self) -> None:
        for stream in filter(None, (self._tokens, self._rows, self._clips, *self._names.values())):
            stream.close()

    def _write_names(self, name: str, width: int) -> None:
        out = ArrayFile(self.partial / f"{name}.npy", np.dtype(f"S{width}"))
        path = self.partial / f"{name}.txt"
        with open(path, "rb") as stream:
            for line in stream:
                out.append(np.array([line[:-1]], dtype=f"S{width}"))
        if not out.length:  # a set of texts only: one empty entry, because an empty file cannot be mapped
            out.append(np.zeros(1, dtype=f"S{width}"))
        out.close()
        path.unlink()

    def _write_index(self) -> None:
        """Counting sort of the row numbers by task, a block at a time."""
        rows = np.load(self.partial / "rows.npy", mmap_mode="r")
        shape = (len(rows),)
        out = np.lib.format.open_memmap(self.partial / "by_task.npy", mode="w+", dtype="<i8", shape=shape)
        next_place = np.cumsum([0] + [sums["rows"] for sums in self.counts.values()])
        for begin in range(0, len(rows), BLOCK):
            tasks = rows["task"][begin : begin + BLOCK]
            for task in np.unique(tasks):
                numbers = begin + np.flatnonzero(tasks == task)
                out[next_place[task] : next_place[task] + len(numbers)] = numbers
                next_place[task] += len(numbers)
        out.flush()
