"""What the values of a task's YAML may be, seen before anything is made of them."""

from qwen_audio.registry import nearest
from qwen_audio.score.registry import BASELINES, METRICS, metric_name, metric_of

TEXTS = ("name", "title", "group", "source", "prompt", "target", "optional", "baseline")
MAPPINGS = ("kinds", "example", "chat")
ENTRY_KEYS = ("metric", "protocol", "field")  # of an entry of metrics


def check_values(content: dict) -> None:
    """Raises: ValueError naming the key of ``content`` whose value is of another kind, or not known, and the mend."""
    for key, value in content.items():
        if value is None:
            raise ValueError(f"{key} has no value; write one, or leave the line out")
        for keys, kind, form in (
            (TEXTS, str, "a text, in quotes if need be"),
            (MAPPINGS, dict, "KEY: VALUE lines"),
        ):
            if key in keys and not isinstance(value, kind):
                raise ValueError(f"{key} is {value!r}; write {form}")
    _check_list("datasets", content.get("datasets", []), str, "names, such as [librispeech]")
    _check_list("metrics", content.get("metrics", []), dict, "entries, such as [{metric: accuracy}]")
    for number, entry in enumerate(content.get("metrics", [])):
        _check_metric(f"metrics[{number}]", entry)
    limit = content.get("max_new_tokens", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"max_new_tokens is {limit!r}; write a whole number from 1 on")
    if content.get("baseline", BASELINES[0]) not in BASELINES:
        raise ValueError(
            f"baseline {content['baseline']!r} is unknown{nearest(content['baseline'], BASELINES)}"
        )


def _check_list(key: str, value: object, kind: type, form: str) -> None:
    if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
        raise ValueError(f"{key} is {value!r}; write a list of {form}")


def _check_metric(place: str, entry: dict) -> None:
    for key, value in entry.items():
        if key not in ENTRY_KEYS:
            raise ValueError(f"{place}.{key}: no such key{nearest(key, ENTRY_KEYS)}")
        if not isinstance(value, str):
            raise ValueError(f"{place}.{key} is {value!r}; write a text, in quotes if need be")
    if "metric" not in entry:
        raise ValueError(f"{place} names no metric{nearest('', METRICS)}")
    if ":" in entry["metric"] and "field" in entry:
        raise ValueError(f"{place}.field goes with the metrics of qwen_audio/score; leave it out")
    name = metric_name(entry)
    try:
        protocols = metric_of(name).protocols
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if entry.get("protocol", protocols[0]) not in protocols:
        raise ValueError(
            f"{place}.protocol: {entry['protocol']!r} is none of {name}{nearest(entry['protocol'], protocols)}"
        )
