"""What stage 1 rejected of a set that is scored, and what it cut: a score is not read without them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from qwen_audio.data.dump import CUT, REJECTED, kind


def rejections(dumps: Iterable[Path]) -> list[dict]:
    """``{"set", "what", "reason", "count"}`` of each set and kind of reason, the most frequent first.

    ``what`` is ``utterance``, or ``example`` where others of its utterance were kept. They were not decoded.

    Args:
        dumps: prepared sets; one that lists no rejections has none.
    """
    return _listed(dumps, REJECTED)


def cuts(dumps: Iterable[Path]) -> list[dict]:
    """The same of utterances of which the first seconds alone were decoded."""
    return _listed(dumps, CUT)


def _listed(dumps: Iterable[Path], name: str) -> list[dict]:
    found = []
    for dump in map(Path, dumps):
        if (dump / name).is_file():
            with open(dump / name, encoding="utf-8") as stream:
                rows = [line.rstrip("\n").split("\t") for line in stream]
            whole = {name for what, name, _ in rows if what == "utterance"}
            counts = Counter(
                (what, kind(reason))
                for what, name, reason in rows
                if what == "utterance" or name.rpartition(":")[0] not in whole
            )
            found += [
                {"set": dump.name, "what": what, "reason": reason, "count": count}
                for (what, reason), count in counts.most_common()
            ]
    return found
