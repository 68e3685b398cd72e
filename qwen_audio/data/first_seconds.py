"""What of an example is left where only the first seconds of its utterance are kept."""

from qwen_audio.task_fields import Segments, Words
from qwen_audio.task_spec import TaskSpec


def first_seconds(row: dict, task: TaskSpec, seconds: float) -> dict:
    """``row`` without what lies behind ``seconds``; a score is of what can be heard.

    Words that end later are left out, the one that the cut goes through as well; segments (turns, sound events)
    that begin later are left out, and one that goes on ends there. What has no times stays whole, a transcript too:
    which of its words are heard nobody knows, and the released evaluation scores it like that. What is malformed
    stays as it is, for ``TaskSpec.check`` to name.
    """
    kept = dict(row)
    for name in task.fields:
        kind = task.kind(name)
        if isinstance(kind, Words | Segments) and isinstance(row[name], list):
            cut = _word if isinstance(kind, Words) else _segment
            kept[name] = [item for item in (cut(item, seconds) for item in row[name]) if item is not None]
    return kept


def _word(item: object, seconds: float) -> object | None:
    return None if _timed(item) and item[1] > seconds else item


def _segment(item: object, seconds: float) -> object | None:
    if not _timed(item) or item[1] <= seconds:
        return item
    return [item[0], seconds, item[2]] if item[0] < seconds else None


def _timed(item: object) -> bool:
    """Whether it is ``[start_s, end_s, text]``."""
    triple = isinstance(item, list) and len(item) == 3
    return triple and all(isinstance(time, int | float) for time in item[:2])
