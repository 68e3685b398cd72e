"""Read a prepared set (dump/raw/SET), which qwen_audio/data/dump.py writes."""

from collections.abc import Container, Iterator
from functools import cached_property
from pathlib import Path

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.json_rows import read_rows
from qwen_audio.data.kaldi_dir import read_table


class PreparedSet:
    """A prepared set; a file of it is read when it is first asked for.

    Attributes:
        examples: path of its examples.jsonl.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.examples = self.folder / "examples.jsonl"

    @cached_property
    def audio(self) -> dict[str, str]:
        """Utterance -> its recording, as qwen_audio/audio.py reads it.

        Raises:
            ValueError: if the set holds features instead of audio, or as read_table.
        """
        scp = self.folder / "wav.scp"
        if not scp.is_file():
            raise ValueError(f"{scp} is missing; audio is needed here: prepare the set with --feats_type raw")
        return {utt: spec for utt, (_, spec) in read_table(scp)}

    @cached_property
    def samples(self) -> dict[str, int]:
        """Utterance -> its length at 16 kHz. Raises: ValueError as read_table."""
        return {utt: int(count) for utt, (_, count) in read_table(self.folder / "utt2num_samples")}

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Utterance -> its length. Raises: ValueError as read_table."""
        return {utt: count / SAMPLE_RATE for utt, count in self.samples.items()}

    def rows(self, tasks: Container[str] | None = None) -> Iterator[dict]:
        """Its examples one after another, of ``tasks`` or of all. Raises: ValueError as read_rows."""
        rows = read_rows(self.examples, ("utt", "task"))
        return (row for row in rows if tasks is None or row["task"] in tasks)


def at_even_distance(rows: list, count: int) -> list:
    """``count`` of ``rows`` at even distance, first and last included: by place, not by quality."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / max(count - 1, 1))] for i in range(count)]
