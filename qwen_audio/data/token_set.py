"""A tokenised set on disk (``dump/tokens/SET``): written as a stream, read through memory maps.

| file | holds |
|---|---|
| tokens.npy | int32, every sequence one after another |
| rows.npy | ROW_DTYPE, one row an example |
| by_task.npy | int64, the row numbers grouped by task, in the order of meta["tasks"] |
| utts.npy, audio.npy | bytes, utterance id and audio spec (path or ark:offset) of each audio |
| meta.json | tasks, tokenizer, pad, placeholder, examples, feats_type, counts per task, sha256 |

Neither writer nor reader keeps a set in memory, so a set may be larger than it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROW_DTYPE = np.dtype(
    [
        ("start", "<i8"),  # first token of the sequence in tokens.npy
        ("prompt", "<i4"),  # tokens of the prompt, the audio placeholder among them
        ("target", "<i4"),  # supervised tokens after it, end of text included
        ("samples", "<i4"),  # audio length at 16 kHz; 0 without audio
        ("ctc_start", "<i8"),
        ("ctc", "<i4"),  # transcript tokens for CTC, 0 = none
        ("task", "<i2"),  # index in meta["tasks"]
        ("utt", "<i8"),  # row of utts.npy and audio.npy; -1 without audio
        ("line", "<i8"),  # byte offset of the example in examples.jsonl
    ]
)
COUNTS = ("rows", "samples", "prompt", "target", "ctc")
BLOCK = 1 << 16  # rows held in memory while writing or sorting


class TokenSet:
    """Read-only view of a tokenised set.

    Attributes:
        rows: (N,) ROW_DTYPE, memory-mapped.
        tasks: task names; ``rows["task"]`` indexes them.
        counts: task -> {"rows", "samples", "prompt", "target", "ctc"}, sums over its rows.

    Raises:
        ValueError: if a file of the set is missing.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        for name in ("meta.json", "rows.npy", "tokens.npy", "by_task.npy", "utts.npy", "audio.npy"):
            if not (self.folder / name).is_file():
                raise ValueError(
                    f"{self.folder / name} is missing; write the set with stage 2 (qwen-audio tokenize)"
                )
        self.meta = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        self.tasks: list[str] = self.meta["tasks"]
        self.counts: dict[str, dict[str, int]] = self.meta["counts"]
        self.rows = np.load(self.folder / "rows.npy", mmap_mode="r")
        self._tokens = np.load(self.folder / "tokens.npy", mmap_mode="r")
        self._by_task = np.load(self.folder / "by_task.npy", mmap_mode="r")
        self._utts = np.load(self.folder / "utts.npy", mmap_mode="r")
        self._audio = np.load(self.folder / "audio.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.rows)

    def rows_of(self, task: str) -> np.ndarray:
        """(n,) int64 row numbers of ``task``, ascending, memory-mapped; empty if the set has none."""
        if task not in self.tasks:
            return self._by_task[:0]
        before = sum(self.counts[name]["rows"] for name in self.tasks[: self.tasks.index(task)])
        return self._by_task[before : before + self.counts[task]["rows"]]

    def text(self, row: int) -> np.ndarray:
        """(prompt + target,) int32 tokens of row number ``row``."""
        entry = self.rows[row]
        return self._tokens[entry["start"] : entry["start"] + entry["prompt"] + entry["target"]]

    def ctc(self, row: int) -> np.ndarray:
        """(K,) int32 transcript tokens of row number ``row``; empty if it has none."""
        entry = self.rows[row]
        return self._tokens[entry["ctc_start"] : entry["ctc_start"] + entry["ctc"]]

    def ctc_tokens(self) -> np.ndarray:
        """(V,) int64 sorted token types of all CTC targets: those a CTC head has to know."""
        seen: set[int] = set()
        for begin in range(0, len(self.rows), BLOCK):
            rows = self.rows[begin : begin + BLOCK]
            first, end = int(rows["start"][0]), int(rows["ctc_start"][-1] + rows["ctc"][-1])
            depth = np.zeros(end - first + 1, np.int8)  # 1 where a target begins, -1 behind its end
            np.add.at(depth, rows["ctc_start"] - first, 1)
            np.add.at(depth, rows["ctc_start"] + rows["ctc"] - first, -1)
            seen.update(np.unique(self._tokens[first:end][np.cumsum(depth[:-1]) > 0]).tolist())
        return np.array(sorted(seen), dtype=np.int64)

    def utt_id(self, row: int) -> str:
        """Utterance id of row number ``row``; for text without audio, where its example stands."""
        utt = int(self.rows[row]["utt"])
        if utt < 0:
            return f"{self.meta.get('examples', self.folder)}@{int(self.rows[row]['line'])}"
        return self._utts[utt].decode()

    def audio_spec(self, row: int) -> str:
        """Path or ark:offset of the audio of row number ``row``."""
        return self._audio[int(self.rows[row]["utt"])].decode()


def task_list(*groups: Sequence[TokenSet]) -> list[str]:
    """Sorted names of all tasks in the sets: the run's task list, which ``task_ids`` index."""
    return sorted({task for sets in groups for data in sets for task in data.tasks})


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
        self._tokens = _ArrayFile(self.partial / "tokens.npy", np.dtype("<i4"))
        self._rows = _ArrayFile(self.partial / "rows.npy", ROW_DTYPE)
        self._names = {name: open(self.partial / f"{name}.txt", "wb") for name in ("utts", "audio")}
        self._audios = 0
        self._widths = {"utts": 1, "audio": 1}
        self._waiting: list[tuple] = []

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
        """Append one example; see ROW_DTYPE. Raises: ValueError if there is nothing to supervise."""
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
        row = (
            start,
            len(tokens_prompt),
            len(tokens_target),
            samples,
            ctc_start,
            len(ctc),
            number,
            utt_row,
            line,
        )
        self._waiting.append(row)
        if len(self._waiting) >= BLOCK:
            self._flush()

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
        for stream in (self._tokens, self._rows, *self._names.values()):
            stream.close()

    def _write_names(self, name: str, width: int) -> None:
        out = _ArrayFile(self.partial / f"{name}.npy", np.dtype(f"S{width}"))
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


class _ArrayFile:
    """A one-dimensional .npy file that grows; its length is entered in the header on close."""

    def __init__(self, path: Path, dtype: np.dtype):
        self.dtype, self.length = dtype, 0
        self._stream = open(path, "wb")
        self._header()

    def _header(self) -> None:
        # numpy reserves room for the digits of a growing first dimension, so the header keeps its size
        self._stream.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, block: np.ndarray) -> bytes:
        data = block.tobytes()
        self._stream.write(data)
        self.length += len(block)
        return data

    def close(self) -> None:
        if not self._stream.closed:
            self._header()
            self._stream.close()
