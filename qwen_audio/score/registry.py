"""The metrics by name, and the one way to call them.

Each metric is a function ``(refs, hyps, protocol, lang) -> dict`` in its own file:

- ``refs``: request -> list of reference texts (at least one), as the task writes them, tags kept; a request is an
  utterance, or one of the questions about it (join.request_key);
- ``hyps``: request -> what the model wrote, for the same requests;
- the result has ``score`` (None where it is undefined) and the metric's own parts, ``ci95`` and
  ``malformed`` (hypotheses that could not be read; they score as wrong) where they apply.

A name with a colon is a metric of your own (qwen_audio/score/own.py).
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from qwen_audio.registry import nearest
from qwen_audio.score.own import described, score_own


class Absent(ValueError):
    """A metric cannot be computed on this machine, or in this language; the message says what it needs."""


@dataclass(frozen=True)
class Metric:
    """Where a metric lives and how its score reads.

    Attributes:
        function: ``module:function`` below ``qwen_audio.score``, imported when first used; or a name of your own.
        protocols: what it may follow; the first is the default.
        unit: ``fraction`` (of 1), ``points`` (as the library prints it) or ``ms``.
        best: ``low`` or ``high``.
    """

    function: str
    protocols: tuple[str, ...]
    unit: str = "fraction"
    best: str = "high"


_TEXT = ("qwen_audio", "whisper")
METRICS = {
    "wer": Metric("wer:wer", _TEXT, best="low"),
    "cer": Metric("wer:cer", _TEXT, best="low"),
    "bleu": Metric("bleu:bleu", ("sacrebleu",), unit="points"),
    "cider": Metric("cider:cider", ("ptb",), unit="points"),
    "meteor": Metric("meteor:meteor", ("ptb",)),
    "rouge_l": Metric("rouge_l:rouge_l", ("ptb",)),
    "spice": Metric("spice:spice", ("ptb",)),
    "spider": Metric("spice:spider", ("ptb",), unit="points"),
    "accuracy": Metric("accuracy:accuracy", ("strict", "lenient", "binary")),
    "note": Metric("note:note", ("exact",)),
    "note_pitch": Metric("note:pitch", ("exact",)),
    "note_chroma": Metric("note:chroma", ("exact",)),
    "note_velocity": Metric("note:velocity", ("exact",)),
    "note_instrument": Metric("note:instrument", ("exact",)),
    "note_qualities": Metric("note_qualities:note_qualities", ("macro",)),
    "choice": Metric("choice:choice", ("letter",)),
    "entity_f1": Metric("entity_f1:entity_f1", ("strict", "lenient")),
    "slot_f1": Metric("slot_f1:slot_f1", ("strict", "lenient")),
    "eer": Metric("eer:eer", ("roc",), best="low"),
    "der": Metric("der:der", ("full", "collar"), best="low"),
    "cpwer": Metric("cpwer:cpwer", _TEXT, best="low"),
    "sed_segment": Metric("sed:segment", ("1s",)),
    "sed_event": Metric("sed:event", ("onset", "onset_offset")),
    "aas": Metric("aas:aas", ("sil", "no_sil"), unit="ms", best="low"),
}

MAJORITY, CONSTANT = "majority", "constant"  # the baselines that know of training
BASELINES = ("empty", MAJORITY, CONSTANT, "even_spacing")  # see baseline.py


def metric_name(entry: dict) -> str:
    """The metric that an entry of a task file names: ``{metric: note, field: pitch}`` -> ``note_pitch``."""
    return "_".join(filter(None, [entry["metric"], entry.get("field")]))


def metric_of(name: str) -> Metric:
    """The metric ``name``.

    Raises:
        ValueError: if it is unknown; of your own, as qwen_audio.score.own.described.
    """
    if ":" in name:
        return Metric(name, *described(name))
    if name not in METRICS:
        raise ValueError(f"metric {name!r} is unknown{nearest(name, METRICS)}")
    return METRICS[name]


def compute(
    name: str, refs: dict[str, list[str]], hyps: dict[str, str], protocol: str | None = None, lang: str = "en"
) -> dict:
    """Score ``hyps`` against ``refs``.

    Args:
        protocol: None is the metric's first one.
        lang: code of the language of the texts; it picks normaliser, unit and tokenizer.

    Returns:
        ``{"metric", "protocol", "score", "count", ...parts}``; ``count`` is the number of requests scored.

    Raises:
        ValueError: unknown metric or protocol, utterances that stand on one side only, or none at all; what a metric of
            your own gives is no result.
    """
    metric = metric_of(name)
    protocol = protocol or metric.protocols[0]
    if protocol not in metric.protocols:
        raise ValueError(
            f"protocol {protocol!r} is unknown to {name}; write one of {', '.join(metric.protocols)}"
        )
    _check_same(refs, hyps)
    if ":" in name:
        found = score_own(name, refs, hyps, protocol, lang)
    else:
        module, function = metric.function.split(":")
        found = getattr(importlib.import_module(f"qwen_audio.score.{module}"), function)(
            refs, hyps, protocol, lang
        )
    return {"metric": name, "protocol": protocol, "score": None, "count": len(refs)} | found


def try_own(specs: Iterable) -> None:
    """Let the metrics of your own that ``specs`` (TaskSpecs) name score each task's example, before hours of decoding.

    Raises:
        ValueError: naming the task's file, the entry of it, and what is wrong.
    """
    for spec in specs:
        row = spec.sample()
        written, lang = spec.target_text(row), row.get("text_lang", "en")
        for number, entry in enumerate(spec.metrics):
            place, name = f"{spec.path}: metrics[{number}]", metric_name(entry)
            if ":" not in name:
                continue
            try:
                compute(name, {"utt": [written]}, {"utt": written}, entry.get("protocol"), lang)
            except Absent:
                pass  # is said when it is scored
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from error
            except Exception as error:
                why = f"{type(error).__name__}: {error}; --debug shows where"
                raise ValueError(f"{place}: metric {name!r} fails on the task's example: {why}") from error


def absent(name: str, protocol: str | None, count: int, reason: str) -> dict:
    """What stands for :func:`compute`'s result where it raised :class:`Absent`: never a number."""
    return {
        "metric": name,
        "protocol": protocol or metric_of(name).protocols[0],
        "score": None,
        "count": count,
        "absent": reason,
    }


def _check_same(refs: dict, hyps: dict) -> None:
    for have, other, what in ((refs, hyps, "hypothesis"), (hyps, refs, "reference")):
        lacking = [key for key in have if key not in other]
        if lacking:
            raise ValueError(
                f"{name_some(lacking)} without a {what}; give both, or add --missing empty to take it as empty text"
            )
    if not refs:
        raise ValueError("nothing to score: there is no utterance in the references")


def name_some(keys: list, most: int = 5) -> str:
    """``3 utterances (a, b, c)``, cut after ``most`` names."""
    names = ", ".join(map(str, keys[:most])) + (", …" if len(keys) > most else "")
    return f"{len(keys)} utterance{'' if len(keys) == 1 else 's'} ({names})"
