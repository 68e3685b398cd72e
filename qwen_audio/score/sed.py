"""Sound event detection: F1 by segment and by event, counted by sed_eval clip by clip (Mesaros 2016)."""

import math
import warnings
from collections import Counter

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.score.segments import Segment, extent, read_both

_SEGMENT_S = 1.0
_COLLAR_S = 0.2
_OFFSET_SHARE = 0.5  # of an event's length, where it is more than the collar


def segment(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Micro F1 over segments of 1 s: an event is active in each one it touches.

    Of several references the one with the highest F1 counts. A malformed hypothesis has no event.

    Returns:
        ``score`` (None where neither side has an event), ``precision``, ``recall``, ``class_mean`` (mean F1
        of the references' events), ``true_positives``, ``reference_count``, ``hypothesis_count`` (active
        segments), ``malformed``, ``ci95``.

    Raises:
        ValueError: naming the utterance whose reference is malformed.
    """

    def count(labels: list[str], ref: list[dict], hyp: list[dict], seconds: float):
        metric = _sed_eval().SegmentBasedMetrics(labels, time_resolution=_SEGMENT_S)
        metric.evaluate(ref, hyp, evaluated_length_seconds=math.ceil(seconds))
        return metric.class_wise

    return _f1(refs, hyps, count)


def event(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Micro F1 over events: one is found if its label is written with an onset at most 200 ms away.

    Protocol ``onset_offset`` also asks for the offset, within 200 ms or half of the event's length, whichever
    is more. Returns and raises as :func:`segment`; the counts are of events.
    """

    def count(labels: list[str], ref: list[dict], hyp: list[dict], seconds: float):
        metric = _sed_eval().EventBasedMetrics(
            labels,
            t_collar=_COLLAR_S,
            evaluate_onset=True,
            evaluate_offset=protocol == "onset_offset",
            percentage_of_length=_OFFSET_SHARE,
        )
        metric.evaluate(ref, hyp)
        return metric.class_wise

    return _f1(refs, hyps, count)


def _f1(refs, hyps, count) -> dict:
    wanted, answers, malformed = read_both(refs, hyps)
    clips = []
    for utt, options in wanted.items():
        tried = [_clip(ref, answers[utt], count) for ref in options]
        clips.append(max(tried, key=lambda clip: _share(2 * clip["Ntp"], clip["Nref"] + clip["Nsys"]) or 0.0))
    totals = sum(clips, Counter())
    top, bottom = [2 * clip["Ntp"] for clip in clips], [clip["Nref"] + clip["Nsys"] for clip in clips]
    labels = sorted(key[1] for key, value in totals.items() if key[0] == "Nref" and value)
    each = [_share(2 * totals["Ntp", x], totals["Nref", x] + totals["Nsys", x]) for x in labels]
    return {
        "score": _share(sum(top), sum(bottom)),
        "precision": _share(totals["Ntp"], totals["Nsys"]),
        "recall": _share(totals["Ntp"], totals["Nref"]),
        "class_mean": _share(sum(each), len(each)),
        "true_positives": totals["Ntp"],
        "reference_count": totals["Nref"],
        "hypothesis_count": totals["Nsys"],
        "malformed": malformed,
        "ci95": ci95(top, bottom, utterances(wanted)),
    }


def _clip(ref: list[Segment], hyp: list[Segment], count) -> Counter:
    """True positives, reference's and system's number, in all (``Ntp``) and by label (``("Ntp", "dog")``)."""
    labels = sorted({label for _, _, label in ref + hyp})
    if not labels:
        return Counter()
    found = Counter()
    for label, numbers in count(labels, _events(ref), _events(hyp), extent(ref, hyp)).items():
        for key in ("Ntp", "Nref", "Nsys"):
            found[key] += int(numbers[key])
            found[key, label] += int(numbers[key])
    return found


def _events(segments: list[Segment]):
    with warnings.catch_warnings():
        # dcase_util warns on import: pkg_resources, escapes in its docstrings
        warnings.simplefilter("ignore")
        from dcase_util.containers import MetaDataContainer
    return MetaDataContainer([{"onset": s, "offset": e, "event_label": label} for s, e, label in segments])


def _sed_eval():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as dcase_util below it
        from sed_eval import sound_event
    return sound_event


def _share(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None
