"""Files of JSON objects, one a line: read; written whole, or going on where a break left them."""

import json
import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path


def write_rows(path: str | Path, rows: Iterable[dict]) -> None:
    """Write ``rows``, UTF-8, one a line; the file appears complete or not at all."""
    partial = Path(f"{path}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as stream:
            stream.writelines(_line(row) for row in rows)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_rows(path: Path, needs: tuple[str, ...]) -> Iterator[dict]:
    """JSON lines that all have the keys ``needs``, one at a time.

    Raises:
        ValueError: naming file, line and what is missing.
    """
    for at, line in numbered_lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{at}: no JSON ({error}); write one object per line") from None
        lacking = [key for key in needs if not isinstance(row, dict) or key not in row]
        if lacking:
            raise ValueError(f"{path}:{at}: the row has no {', '.join(lacking)}")
        yield row


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines; only a newline ends a line, unlike str.splitlines().

    Raises:
        ValueError: naming file and line that is no UTF-8.
    """
    with open(path, "rb") as stream:
        for at, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8-sig" if at == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}:{at}: not UTF-8 at byte {error.start}; convert it with iconv"
                ) from None
            yield at, text.removesuffix("\n")


class ResumedRows:
    """A file of rows that are added as they come; opened again after a break, it goes on.

    Its first line says what the rows are of: a file of anything else is begun anew. A last line that a break cut
    off is dropped.

    Args:
        of: what the rows are of, anything that JSON holds.
        key: what a row is known by.

    Attributes:
        done: rows by key.
    """

    def __init__(self, path: str | Path, of: dict, key: Callable[[dict], Hashable]):
        self.path, self.done, self._key = Path(path), {}, key
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        if not whole or whole[0] != _line(of).encode():
            whole = [_line(of).encode()]
        if whole != lines:
            self.path.write_bytes(b"".join(whole))
        self._keep(map(json.loads, whole[1:]))
        self._stream = None

    def __enter__(self) -> "ResumedRows":
        self._stream = open(self.path, "a", encoding="utf-8")
        return self

    def __exit__(self, *_) -> None:
        self._stream.close()

    def add(self, row: dict) -> None:
        self._stream.write(_line(row))
        self._stream.flush()
        self._keep([row])

    def _keep(self, rows: Iterable[dict]) -> None:
        self.done |= {self._key(row): row for row in rows}


def _line(row: dict) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
