"""Tables of tensor names: what a tensor of one layout is called in another."""

import re

_FIELDS = {"i": r"\d+", "part": "weight|bias", "rest": ".+"}


class NameMap:
    """Names by a table, ``{"h.{i}.attn.c_attn.{part}": "q.{i}.{part} k.{i}.{part} v.{i}.{part}"}``.

    ``{i}`` stands for a number, ``{part}`` for weight or bias, ``{rest}`` for anything. Several targets take
    equal parts of the rows, in order; none: the tensor is left out. The first line that fits counts.
    """

    def __init__(self, table: dict[str, str]):
        self._lines = [(_pattern(source), targets.split()) for source, targets in table.items()]

    def targets(self, name: str) -> list[str] | None:
        """New names of tensor ``name``; None where no line fits."""
        for pattern, targets in self._lines:
            if found := pattern.fullmatch(name):
                return [target.format(**found.groupdict()) for target in targets]
        return None


def under(prefix: str, table: dict[str, str], target: str) -> dict[str, str]:
    """``table`` with ``prefix`` before its names and ``target`` before the new ones."""
    return {prefix + name: " ".join(target + new for new in news.split()) for name, news in table.items()}


def reverse(table: dict[str, str]) -> dict[str, str]:
    """The table the other way; its lines have one target each."""
    return {target: source for source, target in table.items()}


def _pattern(source: str) -> re.Pattern:
    pieces = re.split(r"\{(\w+)\}", source)  # text, field, text, field, ..., text
    return re.compile(
        "".join(f"(?P<{p}>{_FIELDS[p]})" if n % 2 else re.escape(p) for n, p in enumerate(pieces))
    )
