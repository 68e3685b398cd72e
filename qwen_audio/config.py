"""Training configuration: YAML with ``include``, every key checked before any data is read."""

import copy
import re
from pathlib import Path

import yaml

from qwen_audio.kinds import check_component, check_training, is_amount
from qwen_audio.registry import OPTIONAL, SLOTS, check_options, component_class, nearest
from qwen_audio.train.defaults import TRAIN_DEFAULTS
from qwen_audio.train.option_checks import check_choices, check_together

DEFAULTS = {
    "frontend": "log_mel", "frontend_conf": {},
    "specaug": None, "specaug_conf": {},
    "encoder": "whisper", "encoder_conf": {},
    "adapter": "pool_linear", "adapter_conf": {},
    "ctc": None, "ctc_conf": {},
    "decoder": "hf_causal_lm", "decoder_conf": {},
    "timestamp_head": "tokens", "timestamp_head_conf": {},
    "tokenizer_conf": {"pieces": 1000},
    "freeze_param": [],
    **TRAIN_DEFAULTS,
}  # fmt: skip
GIVEN = {  # constructor arguments that the model passes itself
    "encoder": ("input_size",),
    "adapter": ("input_size", "output_size"),
    "ctc": ("input_size", "token_ids"),
    "decoder": ("base_size", "new_tokens"),
    "timestamp_head": ("input_size", "tokenizer"),  # to those that are trained with the model
}
# terms of the loss, and whose they are
LOSSES = {"lm": "decoder", "ctc": "ctc", "timestamp": "timestamp_head"}
PHASE_KEYS = ("steps", "loss_weights", "task_weights")
DOTTED = "lr_scale."  # below it stand prefixes of parameter names, which have dots themselves
_INNER = ("optim_conf", "scheduler_conf", "batch_conf", "tokenizer_conf")


class _Loader(yaml.SafeLoader):
    """yaml.safe_load, but ``1e-4`` is a number: YAML 1.1 wants ``1.0e-4`` and reads the other as a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_yaml(path: str | Path) -> dict:
    """A YAML mapping with ``include: other.yaml`` (relative to the file) merged below it.

    Mappings are merged key by key, so a variant lists just its differences (``frame_cache: {}`` and the like,
    of any key but ``*_conf``, leave nothing); everything else replaces, a mapping inside of one too:
    ``decoder_conf: {lora: {r: 8}}`` names all that is to stand in ``lora``. A component that is swapped does not
    inherit the options of the one it replaces, nor learning rates of its parts.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such configuration file") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: the top level must be KEY: VALUE lines")
    base = content.pop("include", None)
    return content if base is None else merge(read_yaml(path.parent / base), content)


def merge(base: dict, over: dict) -> dict:
    """``over`` laid onto ``base``; see read_yaml."""
    result = copy.deepcopy(base)
    for slot in SLOTS:
        if slot in over and over[slot] != base.get(slot, DEFAULTS[slot]):
            result[f"{slot}_conf"] = {}
            if isinstance(rates := result.get("lr_scale"), dict):
                result["lr_scale"] = {
                    p: rate for p, rate in rates.items() if not str(p).startswith(f"{slot}.")
                }
    return {**result, **{key: _joined(key, result.get(key), value) for key, value in over.items()}}


def _joined(key: str, below: object, value: object) -> object:
    emptied = value == {} and not key.endswith("_conf")
    joins = isinstance(value, dict) and isinstance(below, dict) and not emptied
    return {**below, **value} if joins else value


def override(config: dict, items: list[str]) -> dict:
    """``config`` with the values of ``items`` in it.

    They are one variant, whatever their order: a component that one of them swaps is swapped first, then options
    are set. A dotted key sets that value alone, at any depth; a mapping is merged as read_yaml merges one. Of two
    values of one key the last counts.

    Args:
        items: ``key=value`` or ``key.inner=value``, values in YAML, such as ``adapter_conf.stride=2``.

    Raises:
        ValueError: for what is no ``key=value``, or a key below a value that is no mapping.
    """
    given = [_parse(item) for item in items]
    result = merge(config, {path[0]: value for path, value in given if len(path) == 1 and path[0] in SLOTS})
    for path, value in given:
        inside, (*above, last) = result, path
        for depth, part in enumerate(above, 1):
            if inside.get(part) is None:
                inside[part] = {}
            if not isinstance(inside[part], dict):
                whole = ".".join(path[:depth])
                raise ValueError(
                    f"override {'.'.join(path)}: {whole} is {inside[part]!r}, which has no keys; write {whole}=VALUE"
                )
            inside = inside[part]
        inside[last] = value if above else _joined(last, inside.get(last), value)
    return result


def _parse(item: str) -> tuple[list[str], object]:
    """The keys on the way to a value, and the value."""
    key, sign, text = item.partition("=")
    if not sign:
        raise ValueError(f"override {item!r}: write key=value")
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"override {item!r}: not valid YAML: {' '.join(str(error).split())}") from None
    return key.split(".", 1 if key.startswith(DOTTED) else -1), value


def load_config(path: str | Path, overrides: list[str] = ()) -> dict:
    """The complete configuration of ``path``, defaults filled in, checked.

    Args:
        overrides: as of ``override``.

    Raises:
        ValueError: naming the key or component that is unknown and the nearest valid one.
    """
    content = read_yaml(path)
    config = override(content, overrides)
    for key in config:
        if key not in DEFAULTS:
            raise ValueError(f"{path}: unknown key {key!r}{nearest(key, DEFAULTS)}")
    if config.get("init") is not None and not all(slot in config for slot in SLOTS):
        config = override(merge(_components(Path(str(config["init"]))), content), overrides)
    config = with_all_keys(config)
    if config["phases"] == []:
        raise ValueError(f"{path}: phases is empty; write at least one, such as - {{steps: 1000}}")
    try:
        check_config(config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return config


def _components(folder: Path) -> dict:
    """The slots of a trained model's folder, with their options."""
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"init: {folder} is no folder of a trained model: it has no config.yaml")
    config = read_yaml(folder / "config.yaml")
    return {key: config[key] for slot in SLOTS for key in (slot, f"{slot}_conf") if key in config}


def with_all_keys(config: dict) -> dict:
    """``config`` with the defaults of the keys it leaves out, and of the inner keys of what is not a component."""
    full = {**copy.deepcopy(DEFAULTS), **config}
    for key in _INNER:
        if isinstance(full[key], dict):  # check_config tells the user if not
            full[key] = {**DEFAULTS[key], **full[key]}
    return full


def check_config(config: dict) -> None:
    """Raises: ValueError for a component, option, phase or choice that does not exist, with the nearest one; for a
    value of the wrong kind or out of bounds, with what to write.
    """
    check_choices(config)
    for key, default in DEFAULTS.items():
        for kind, form in ((dict, "KEY: VALUE lines"), (list, "a list")):
            if isinstance(default, kind) and not isinstance(config[key], kind):
                raise ValueError(f"{key} is {config[key]!r}; write {form}")
    for key in _INNER:
        for inner in config[key]:
            if inner not in DEFAULTS[key]:
                raise ValueError(f"{key}.{inner}: no such option{nearest(inner, DEFAULTS[key])}")
    check_training(config)
    for i, phase in enumerate(config["phases"]):
        _check_phase(f"phases[{i}]", phase, config)
    check_together(config)
    for slot in SLOTS:
        name, options = config[slot], config[f"{slot}_conf"]
        if name is None:
            if slot not in OPTIONAL:
                raise ValueError(f"{slot}: null; this slot must be filled{nearest('', SLOTS[slot])}")
            continue
        component_class(slot, name)
        check_options(slot, name, options, set(GIVEN.get(slot, ())))
        check_component(slot, name, options)


def _check_phase(place: str, phase: dict, config: dict) -> None:
    if not isinstance(phase, dict):
        raise ValueError(f"{place} is {phase!r}; write {{{': ..., '.join(PHASE_KEYS)}: ...}}")
    for key in phase:
        if key not in PHASE_KEYS:
            raise ValueError(f"{place}.{key}: no such key{nearest(key, PHASE_KEYS)}")
    if not isinstance(phase.get("steps"), int) or phase["steps"] < 1:
        raise ValueError(f"{place}.steps is {phase.get('steps')!r}; write a whole number from 1 on")
    weights = phase.get("loss_weights") or {}
    if not isinstance(weights, dict):
        raise ValueError(
            f"{place}.loss_weights is {weights!r}; write {{{', '.join(f'{t}: ...' for t in LOSSES)}}}"
        )
    for term, weight in weights.items():
        if term not in LOSSES:
            raise ValueError(f"{place}.loss_weights.{term}: no such loss{nearest(term, LOSSES)}")
        if not is_amount(weight):
            raise ValueError(f"{place}.loss_weights.{term} is {weight!r}; write a number from 0 on")
        slot = LOSSES[term]
        if weight and not has_loss(slot, config[slot]):
            need = {"ctc": "a ctc component", "timestamp_head": "a timestamp head that is trained"}[slot]
            mend = {"ctc": "embedding", "timestamp_head": "ctc"}[slot]
            raise ValueError(f"{place}.loss_weights.{term} needs {need}; write {slot}: {mend}")
    drawn = phase.get("task_weights") or {}
    if not isinstance(drawn, dict):
        raise ValueError(f"{place}.task_weights is {drawn!r}; write {{TASK: WEIGHT, ...}}")
    for task, weight in drawn.items():
        if not is_amount(weight):
            raise ValueError(f"{place}.task_weights.{task} is {weight!r}; write a number from 0 on")
    if weights and not any(weights.values()):
        raise ValueError(
            f"{place}.loss_weights are {weights}; give one loss a weight above 0 (lm: 1 by default)"
        )


def has_loss(slot: str, name: str | None) -> bool:
    """Whether the component is trained with a loss of its own; a timestamp head may be one without weights."""
    return name is not None and (slot != "timestamp_head" or hasattr(component_class(slot, name), "forward"))
