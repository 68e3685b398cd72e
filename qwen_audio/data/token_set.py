"""A tokenised set on disk (``dump/tokens/SET``), read through memory maps; token_set_writer.py writes it.

| file | holds |
|---|---|
| tokens.npy | int32, every sequence one after another; ~id behind the prompt is read, but not supervised |
| rows.npy | ROW_DTYPE, one row an example |
| by_task.npy | int64, the row numbers grouped by task, in the order of meta["tasks"] |
| utts.npy, audio.npy | bytes, utterance id and audio spec (path or ark:offset) of each audio |
| clips.npy | CLIP_DTYPE, one an audio; only of dialogues, whose rows have any number of audios |
| meta.json | tasks, tokenizer, pad, placeholder, examples, feats_type, counts per task, sha256 |

Neither writer nor reader keeps a set in memory, so a set may be larger than it; but of dialogues a reader keeps whose
each audio is, 8 bytes an audio.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROW_DTYPE = np.dtype(
    [
        ("start", "<i8"),  # first token of the sequence in tokens.npy
        ("prompt", "<i4"),  # tokens of the prompt, the audio placeholder among them
        ("target", "<i4"),  # tokens from the first supervised one on, end of text included
        ("samples", "<i4"),  # length of all its audio at 16 kHz; 0 without audio
        ("ctc_start", "<i8"),
        ("ctc", "<i4"),  # transcript tokens for CTC, 0 = none
        ("task", "<i2"),  # index in meta["tasks"]
        ("utt", "<i8"),  # row of utts.npy and audio.npy, of several audios the first; -1 without audio
        ("line", "<i8"),  # byte offset of the example in examples.jsonl; of a dialogue its number
    ]
)
CLIP_DTYPE = np.dtype([("row", "<i8"), ("samples", "<i4")])  # whose audio it is, ascending, and its length
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
        clips = self.folder / "clips.npy"
        self._clips = np.load(clips, mmap_mode="r") if clips.is_file() else None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_audios(self) -> int:
        """Audio files, or stretches of an archive, that the set names."""
        return len(self._audio)

    def rows_of(self, task: str) -> np.ndarray:
        """(n,) int64 row numbers of ``task``, ascending, memory-mapped; empty if the set has none."""
        if task not in self.tasks:
            return self._by_task[:0]
        before = sum(self.counts[name]["rows"] for name in self.tasks[: self.tasks.index(task)])
        return self._by_task[before : before + self.counts[task]["rows"]]

    def text(self, row: int) -> np.ndarray:
        """(prompt + target,) int32 tokens of row number ``row``."""
        stored = self._stored(row)
        return np.where(stored < 0, ~stored, stored)

    def supervised(self, row: int) -> np.ndarray:
        """(prompt + target,) bool: which tokens of row number ``row`` the model is to learn to write."""
        stored = self._stored(row)
        return (np.arange(len(stored)) >= self.rows[row]["prompt"]) & (stored >= 0)

    def clips(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The audios of some rows, in their order.

        Shapes: rows (N,) row numbers -> for M audios: place in ``rows`` of the one it belongs to (M,), number
        in the set (M,), length in samples (M,).
        """
        rows = np.asarray(rows, dtype=np.int64)
        if self._clips is None:
            owner = np.flatnonzero(self.rows["utt"][rows] >= 0)
            return owner, self.rows["utt"][rows[owner]], self.rows["samples"][rows[owner]].astype(np.int64)
        first = np.searchsorted(self._owners, rows)
        counts = np.searchsorted(self._owners, rows, side="right") - first
        owner = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owner)) - np.repeat(counts.cumsum() - counts, counts)
        numbers = first[owner] + within
        return owner, numbers, self._clips["samples"][numbers].astype(np.int64)

    @functools.cached_property
    def _owners(self) -> np.ndarray:
        """Column ``row`` of clips.npy; numpy would copy it, 2.4 ms for 2 million, for each search in it."""
        return np.ascontiguousarray(self._clips["row"])

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
        """Path or ark:offset of the (first) audio of row number ``row``."""
        return self.spec(int(self.rows[row]["utt"]))

    def spec(self, audio: int) -> str:
        """Path or ark:offset of audio number ``audio`` of the set."""
        return self._audio[audio].decode()

    def _stored(self, row: int) -> np.ndarray:
        entry = self.rows[row]
        return self._tokens[entry["start"] : entry["start"] + entry["prompt"] + entry["target"]]


def task_list(*groups: Sequence[TokenSet]) -> list[str]:
    """Sorted names of all tasks in the sets: the run's task list, which ``task_ids`` index."""
    return sorted({task for sets in groups for data in sets for task in data.tasks})
