"""Whether the values of a configuration are of the kind, and in the bounds, that their keys take."""

import inspect
import types
import typing

from qwen_audio.registry import SLOTS, component_class, nearest
from qwen_audio.train.defaults import TRAIN_DEFAULTS

NULL = type(None)
WORDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "KEY: VALUE lines",
    list: "a list", NULL: "null",
}  # fmt: skip
OR_NULL = {  # keys that may be null, and what they take else
    "init": str, "num_threads": int, "grad_clip": float, "batch_conf.max_positions": float,
    "batch_conf.max_seconds": float, "batch_conf.max_examples": float, "batch_conf.window": int,
}  # fmt: skip
FROM_ONE = (  # other numbers are from 0 on
    "accum_grad", "split_parts", "num_threads", "batch_conf.window", "log_steps", "valid_steps", "checkpoint_steps",
    "keep_checkpoints", "average_checkpoints", "max_bad_steps", "tokenizer_conf.pieces",
)  # fmt: skip


def check_training(config: dict) -> None:
    """The training keys of ``config``, whose mappings and lists are such, against the kinds of their defaults.

    Raises:
        ValueError: naming the key, the value and what to write.
    """
    defaults = {**TRAIN_DEFAULTS, "tokenizer_conf": {"pieces": 1}}
    for key, default in defaults.items():
        if isinstance(default, dict):
            for inner in set(default).intersection(config[key]):
                _check_value(f"{key}.{inner}", config[key][inner], default[inner])
        else:
            _check_value(key, config[key], default)
    betas = config["optim_conf"].get("betas")
    if betas is not None and not (len(betas) == 2 and all(is_amount(beta) for beta in betas)):
        raise ValueError(f"optim_conf.betas is {betas!r}; write two numbers, such as [0.9, 0.98]")
    for prefix, factor in config["lr_scale"].items():
        if (slot := str(prefix).partition(".")[0]) not in SLOTS:
            raise ValueError(f"lr_scale.{prefix}: {slot!r} is no slot{nearest(slot, SLOTS)}")
        if not is_amount(factor):
            raise ValueError(f"lr_scale.{prefix} is {factor!r}; write a number from 0 on")
    if not config["task_temperature"]:
        raise ValueError("task_temperature is 0; write a number above 0: 1 weighs tasks by hours")
    for prefix in config["freeze_param"]:
        if not isinstance(prefix, str):
            raise ValueError(f"freeze_param has {prefix!r}; write the beginnings of parameter names")


def check_component(slot: str, name: str, options: dict) -> None:
    """The options of a component against the plain types of its constructor's annotations.

    Raises:
        ValueError: naming the key, the value and what to write.
    """
    for key, parameter in inspect.signature(component_class(slot, name)).parameters.items():
        if key in options and options[key] != parameter.default:
            _check_kind(f"{slot}_conf.{key}", options[key], _plain(parameter.annotation))


def is_amount(value: object) -> bool:
    """Whether it is a number from 0 on."""
    return _is(value, float) and value >= 0


def _check_value(key: str, value: object, default: object) -> None:
    kinds = (OR_NULL[key], NULL) if key in OR_NULL else (type(default),)
    _check_kind(key, value, kinds, 1 if key in FROM_ONE else 0)


def _check_kind(key: str, value: object, kinds: tuple[type, ...], least: int | None = None) -> None:
    bound = least is not None and _is(value, float)
    if kinds and (not any(_is(value, kind) for kind in kinds) or bound and not value >= least):
        wanted = (
            WORDS[kind] + (f" from {least} on" if least is not None and kind in (int, float) else "")
            for kind in kinds
        )
        raise ValueError(f"{key} is {value!r}; write {' or '.join(wanted)}")


def _is(value: object, kind: type) -> bool:
    """As isinstance; but true and false are no numbers, and a whole number is a number."""
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _plain(annotation: object) -> tuple[type, ...]:
    """The types that an annotation allows; none where one of them is not plain."""
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    kinds = typing.get_args(annotation) if union else (annotation,)
    return kinds if all(kind in WORDS for kind in kinds) else ()
