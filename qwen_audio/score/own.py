"""Metrics of your own: ``module:function`` or ``module:Class`` in a task's YAML, or of `qwen-audio score --metric`.

They are called as those of qwen_audio/score/registry.py are. Of a class an object is called, which is made once,
without arguments; its ``protocols`` and ``unit``, where it has them, are as of registry.Metric. docs/tasks.md has one.
"""

import functools
import inspect
import json
import math
import reprlib
from collections.abc import Callable

from qwen_audio.registry import import_named, nearest

GIVEN = ("refs", "hyps", "protocol", "lang")
UNITS = ("fraction", "points", "ms")


@functools.cache
def own_metric(name: str) -> Callable[..., dict]:
    """The function, or the object of the class, that ``name`` names.

    Raises:
        ValueError: if it cannot be imported, or not be called with GIVEN.
    """
    found = import_named(f"metric {name!r}", name, "module:function or module:Class")
    if inspect.isclass(found):
        _check_call(f"metric {name!r} must be made without arguments", found)
        found = found()
    _check_call(f"metric {name!r} must take ({', '.join(GIVEN)})", found, *GIVEN)
    return found


def described(name: str) -> tuple[tuple[str, ...], str]:
    """Its protocols and its unit; of one that does not say, ``own`` and a fraction.

    Raises:
        ValueError: as ``own_metric``; if it says something else.
    """
    metric = own_metric(name)
    protocols, unit = getattr(metric, "protocols", ("own",)), getattr(metric, "unit", UNITS[0])
    listed = isinstance(protocols, (tuple, list)) and all(isinstance(each, str) for each in protocols)
    if not listed or not protocols:
        raise ValueError(
            f"metric {name!r}: protocols is {protocols!r}; write names, such as ('strict', 'lenient')"
        )
    if unit not in UNITS:
        raise ValueError(f"metric {name!r}: unit is {unit!r}{nearest(unit, UNITS)}")
    return tuple(protocols), unit


def score_own(name: str, *given) -> dict:
    """What it gives for ``given``, as GIVEN.

    Raises:
        ValueError: if that is nothing that results.json and RESULTS.md can show.
    """
    answer = own_metric(name)(*given)
    gives = f"metric {name!r} gives {reprlib.repr(answer)}"
    if not isinstance(answer, dict) or "score" not in answer:
        raise ValueError(f"{gives}; it must give a dict with a score")
    if answer["score"] is not None and not _number(answer["score"]):
        raise ValueError(f"{gives}; its score must be a number, or None where it is undefined")
    edges = answer.get("ci95")
    interval = isinstance(edges, (tuple, list)) and len(edges) == 2 and all(map(_number, edges))
    if edges is not None and not interval:
        raise ValueError(f"{gives}; its ci95 must be [low, high], or None")
    try:
        json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{gives}, which JSON cannot hold ({error}); give plain numbers, texts and lists"
        ) from error
    return answer


def _check_call(must: str, function: Callable, *given: str) -> None:
    try:
        inspect.signature(function).bind(*given)
    except (TypeError, ValueError) as error:  # ValueError: it is of C and has none
        raise ValueError(f"{must}: {error}") from error


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
