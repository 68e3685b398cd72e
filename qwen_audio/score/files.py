"""Reading what is scored: Kaldi text files, JSON lines, utt2num_samples."""

import json
from collections.abc import Iterator
from pathlib import Path

PAIR = "EXP/decode/SET:DUMP/SET"
CHAT = "EXP/decode/SET:SFT/SET:DUMP/SET"


def split_pair(text: str) -> tuple[Path, Path]:
    """``EXP/decode/SET:DUMP/SET`` -> what was decoded, and the prepared set it was decoded from.

    Raises:
        ValueError: if it is not written so.
    """
    decoded, _, dump = text.partition(":")
    if not decoded or not dump:
        raise ValueError(f"--decoded {text!r}; write {PAIR}")
    return Path(decoded), Path(dump)


def at_even_distance(rows: list, count: int) -> list:
    """``count`` of ``rows`` at even distance, first and last included: by place, not by quality."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / max(count - 1, 1))] for i in range(count)]


def read_text(path: Path) -> dict[str, list[str]]:
    """A Kaldi text file, ``UTT TEXT`` a line -> utterance -> its texts; an id alone is an empty text.

    An id that stands on several lines has several texts, in the order of the lines.

    Raises:
        ValueError: naming file and line that has no id or is no UTF-8.
    """
    texts = {}
    for at, line in _lines(path):
        key, *rest = line.encode().split(None, 1) or [b""]  # at ASCII blanks only, as Kaldi does
        if not key:
            raise ValueError(
                f"{path}:{at}: the line is empty; write `UTT TEXT`, or UTT alone for an empty text"
            )
        texts.setdefault(key.decode(), []).append(rest[0].decode().strip() if rest else "")
    return texts


def read_hypotheses(path: Path) -> dict[str, str]:
    """As :func:`read_text`, one text per utterance.

    Raises:
        ValueError: naming an utterance that stands twice.
    """
    texts = read_text(path)
    for utt, found in texts.items():
        if len(found) > 1:
            raise ValueError(
                f"{path}: {utt} stands on {len(found)} lines; a hypothesis file has one per utterance"
            )
    return {utt: found[0] for utt, found in texts.items()}


def read_rows(path: Path, needs: tuple[str, ...]) -> list[dict]:
    """All of :func:`iter_rows`."""
    return list(iter_rows(path, needs))


def iter_rows(path: Path, needs: tuple[str, ...]) -> Iterator[dict]:
    """JSON lines that all have the keys ``needs``, one at a time.

    Raises:
        ValueError: naming file, line and what is missing.
    """
    for at, line in _lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{at}: no JSON ({error}); write one object per line") from None
        lacking = [key for key in needs if not isinstance(row, dict) or key not in row]
        if lacking:
            raise ValueError(f"{path}:{at}: the row has no {', '.join(lacking)}")
        yield row


def read_num_samples(path: Path) -> dict[str, int]:
    """``utt2num_samples`` of a prepared set: utterance -> number of 16 kHz samples."""
    return {utt: int(found[0]) for utt, found in read_text(path).items()}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines; only a newline ends a line, unlike str.splitlines()."""
    with open(path, "rb") as stream:
        for at, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8-sig" if at == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}:{at}: not UTF-8 at byte {error.start}; convert it with iconv"
                ) from None
            yield at, text.removesuffix("\n")
