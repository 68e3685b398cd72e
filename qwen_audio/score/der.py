"""Diarization error rate by pyannote.metrics."""

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.score.segments import Segment, extent, read_both

_COLLARS = {"full": 0.0, "collar": 0.25}  # seconds on each side of a reference boundary
_KINDS = {"missed": "missed detection", "false_alarm": "false alarm", "confusion": "confusion"}


def der(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """(missed speech + false alarm + confusion) / reference speech, in seconds over all clips together.

    Speakers are mapped clip by clip, the best way; speech of two speakers at once counts twice. Protocols:
    ``full`` scores all of a clip (DIHARD); ``collar`` leaves out 0.25 s on each side of every reference
    boundary (NIST's md-eval -c 0.25; the collar of pyannote is the whole width, 0.5 s). The scored region is
    given to pyannote: from 0 to the end of the last segment of either side, so whatever the two sides hold is
    scored; the clip's own length would change nothing, beyond it both are silent. Of several references the
    one with the lowest rate counts. A malformed hypothesis has no segment: all its speech is missed.

    Returns:
        ``score`` (None where no reference has speech), seconds ``missed``, ``false_alarm``, ``confusion`` and
        ``speech``, ``collar_s`` (on each side), ``malformed``, ``ci95``.

    Raises:
        ValueError: naming the utterance whose reference is malformed.
    """
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=2 * _COLLARS[protocol])
    wanted, answers, malformed = read_both(refs, hyps)
    clips = []
    for utt, options in wanted.items():
        tried = [_components(metric, ref, answers[utt]) for ref in options]
        clips.append(min(tried, key=lambda found: _errors(found) / max(found["speech"], 1e-9)))
    totals = {name: sum(clip[name] for clip in clips) for name in (*_KINDS, "speech")}
    return {
        "score": _errors(totals) / totals["speech"] if totals["speech"] else None,
        **totals,
        "collar_s": _COLLARS[protocol],
        "malformed": malformed,
        "ci95": ci95(
            [_errors(clip) for clip in clips], [clip["speech"] for clip in clips], utterances(wanted)
        ),
    }


def _components(metric, ref: list[Segment], hyp: list[Segment]) -> dict[str, float]:
    from pyannote.core import Segment as Span
    from pyannote.core import Timeline

    scored = Timeline([Span(0, extent(ref, hyp))])
    found = metric.compute_components(_annotation(ref), _annotation(hyp), uem=scored)
    return {name: found[key] for name, key in (_KINDS | {"speech": "total"}).items()}


def _annotation(segments: list[Segment]):
    """A speaker's own segments are joined where they touch or overlap: nobody speaks twice at once."""
    from pyannote.core import Annotation
    from pyannote.core import Segment as Span

    annotation = Annotation()
    for track, (start, end, speaker) in enumerate(segments):
        annotation[Span(start, end), track] = speaker
    return annotation.support()


def _errors(clip: dict[str, float]) -> float:
    return sum(clip[name] for name in _KINDS)
