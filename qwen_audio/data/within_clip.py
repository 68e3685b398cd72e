"""The times of an example and the end of its clip."""

from qwen_audio.data.format_audio import OVERSHOOT_SECONDS
from qwen_audio.tags import TIME_STEP
from qwen_audio.task_fields import Segments, Words
from qwen_audio.task_spec import TaskSpec


def within_clip(row: dict, task: TaskSpec, seconds: float) -> tuple[dict, str]:
    """``row`` with times that lie in its clip, and why it cannot be used; empty if it can.

    Times are rounded: an end up to half a time token's step late stays as it is, one up to OVERSHOOT_SECONDS late
    becomes the clip's. A row is refused for a word or segment that ends later, and for one that begins when the clip
    has ended: nothing of it can be heard, and all its times may be another recording's.

    Args:
        row: one that ``TaskSpec.check`` passes.
        seconds: length of the clip.
    """
    fitted = dict(row)
    for name in task.fields:
        if not isinstance(task.kind(name), Words | Segments):
            continue
        items = []
        for start, end, text in row[name]:
            if end > seconds + TIME_STEP / 2:
                if end > seconds + OVERSHOOT_SECONDS or start >= seconds:
                    found = f"{name} hold {[start, end, text]!r}, the clip ends at {seconds:.3f} s"
                    return row, f"times past the end: {found}; count them from its start"
                end = seconds
            items.append([start, end, text])
        fitted[name] = items
    return fitted, ""
