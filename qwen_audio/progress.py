"""Progress of a long loop: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(
    iterable: Iterable[Item], total: int | None, label: str, every_seconds: float = 10.0
) -> Iterator[Item]:
    """Yield the items of ``iterable`` and say on stderr how far it is.

    On a terminal this is a tqdm bar; elsewhere a line every ``every_seconds`` and one at the end.

    Args:
        total: number of items, None if unknown.
        label: what is being done.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(iterable, total=total, desc=label)
        return
    begin = last = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
        now = time.monotonic()
        if now - last >= every_seconds:
            last = now
            print(_line(label, count, total, now - begin), file=sys.stderr, flush=True)
    print(_line(label, count, total, time.monotonic() - begin), file=sys.stderr, flush=True)


def _line(label: str, count: int, total: int | None, seconds: float) -> str:
    rate = count / max(seconds, 1e-9)
    line = f"{label}: {count}" + (f" of {total} ({count / max(total, 1):.0%})" if total is not None else "")
    line += f" in {seconds:.0f} s, {rate:.1f}/s"
    if total is not None and 0 < count < total:
        line += f", {(total - count) / rate:.0f} s left"
    return line
