"""Decoding configuration: a YAML file with options for all tasks, and exceptions for some."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import torch

from qwen_audio.config import read_yaml
from qwen_audio.infer.search import SearchOptions
from qwen_audio.registry import nearest
from qwen_audio.task_spec import TaskSpec

SEARCH_KEYS = tuple(f.name for f in dataclasses.fields(SearchOptions))


@dataclass(frozen=True)
class InferenceConfig:
    """How to decode.

    Attributes:
        batch_conf: clips encoded at once: at most ``max_examples``, of ``max_seconds`` together with padding.
        num_threads: torch's threads; null leaves it to OMP_NUM_THREADS.
        tasks: exceptions per task, of the same keys as those below.
        beam_size, ctc_weight, length_bonus, max_new_tokens: see SearchOptions; max_new_tokens null takes the
            task's own. ctc_weight counts only for tasks whose answer is the words spoken, with or without times.
    """

    batch_conf: dict = field(default_factory=lambda: {"max_examples": 64, "max_seconds": 240.0})
    num_threads: int | None = None
    tasks: dict[str, dict] = field(default_factory=dict)
    beam_size: int = 1
    ctc_weight: float = 0.0
    length_bonus: float = 0.0
    max_new_tokens: int | None = None

    def search_options(self, spec: TaskSpec) -> SearchOptions:
        """Options for one task."""
        values = {key: getattr(self, key) for key in SEARCH_KEYS}
        if not spec.transcribes:
            values["ctc_weight"] = 0.0
        values.update(self.tasks.get(spec.name, {}))
        if values["max_new_tokens"] is None:
            values["max_new_tokens"] = spec.max_new_tokens
        return SearchOptions(**values)

    def set_threads(self) -> None:
        """Give torch ``num_threads``."""
        if self.num_threads:
            torch.set_num_threads(self.num_threads)

    def with_room(self, spec: TaskSpec) -> "InferenceConfig":
        """The same, but an answer to the task may have ``spec.max_new_tokens`` at least."""
        room = max(self.search_options(spec).max_new_tokens, spec.max_new_tokens)
        own = {**self.tasks.get(spec.name, {}), "max_new_tokens": room}
        return dataclasses.replace(self, tasks={**self.tasks, spec.name: own})


def load_inference_config(path: str | Path | None, specs: dict[str, TaskSpec]) -> InferenceConfig:
    """The configuration of ``path``, or the defaults (greedy search) if it is None.

    Raises:
        ValueError: naming the key or task that is unknown and the nearest valid one, or a value out of range.
    """
    content = read_yaml(path) if path else {}
    try:
        return _checked(content, specs)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(content: dict, specs: dict[str, TaskSpec]) -> InferenceConfig:
    default = InferenceConfig()
    _known("", content, [f.name for f in dataclasses.fields(InferenceConfig)])
    batch_conf = _mapping("batch_conf", content.get("batch_conf"))
    _known("batch_conf.", batch_conf, default.batch_conf)
    for key, value in batch_conf.items():
        if not _number(value) or value <= 0:
            raise ValueError(f"batch_conf.{key} is {value!r}; write a number above 0")
    _check_search("", content)
    _check_count("num_threads", content.get("num_threads"))
    given = _mapping("tasks", content.get("tasks"))
    _known("tasks.", given, specs)
    exceptions = {name: _mapping(f"tasks.{name}", options) for name, options in given.items()}
    for name, options in exceptions.items():
        _known(f"tasks.{name}.", options, SEARCH_KEYS)
        _check_search(f"tasks.{name}.", options)
        if options.get("ctc_weight") and not specs[name].transcribes:
            raise ValueError(
                f"tasks.{name}.ctc_weight is {options['ctc_weight']}: CTC scores spoken words only, which"
                f" {name} does not write; leave it out"
            )
    return InferenceConfig(
        **{**content, "batch_conf": {**default.batch_conf, **batch_conf}, "tasks": exceptions}
    )


def _mapping(key: str, value) -> dict:
    """A key without a value is an empty one."""
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}; write KEY: VALUE lines below it")
    return value or {}


def _known(prefix: str, given: dict, valid) -> None:
    for key in given:
        if key not in valid:
            raise ValueError(f"unknown key {prefix}{key}{nearest(key, valid)}")


def _check_search(prefix: str, options: dict) -> None:
    if "beam_size" in options and options["beam_size"] is None:
        raise ValueError(f"{prefix}beam_size is null; write a whole number from 1 on, or leave it out")
    for key in ("beam_size", "max_new_tokens"):
        _check_count(f"{prefix}{key}", options.get(key))
    weight = options.get("ctc_weight", 0.0)
    if not _number(weight) or not 0 <= weight <= 1:
        raise ValueError(
            f"{prefix}ctc_weight is {weight!r}; write a number from 0 (LLM alone) to 1 (CTC alone)"
        )
    if not _number(options.get("length_bonus", 0.0)):
        raise ValueError(f"{prefix}length_bonus is {options['length_bonus']!r}; write a number")


def _check_count(key: str, value) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"{key} is {value!r}; write a whole number from 1 on")


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
