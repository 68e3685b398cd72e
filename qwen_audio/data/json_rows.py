"""Files of JSON objects, one a line, that are written whole, or go on where a break left them."""

import json
import os
from collections.abc import Callable, Hashable, Iterable
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
