"""What stage 1 rejected of a set that is scored: it was not decoded, and no score says so."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from qwen_audio.data.dump import REJECTED, kind


def rejections(dumps: Iterable[Path]) -> list[dict]:
    """``{"set", "what", "reason", "count"}`` of each set and kind of reason, the most frequent first.

    ``what`` is ``utterance``, or ``example`` where others of its utterance were kept.

    Args:
        dumps: prepared sets; one that lists no rejections has none.
    """
    found = []
    for dump in map(Path, dumps):
        if (dump / REJECTED).is_file():
            with open(dump / REJECTED, encoding="utf-8") as stream:
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
