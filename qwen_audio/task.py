"""AudioLLMTask: the model as an ESPnet2 task, for ESPnet's own commands and for ESPnet3."""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from espnet2.tasks.abs_task import AbsTask
from espnet2.utils.types import str_or_none
from torch import Tensor

from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, check_config, with_all_keys
from qwen_audio.data.collate import make_batch
from qwen_audio.model import AudioLLM
from qwen_audio.registry import SLOTS
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.optim import build_optimizer
from qwen_audio.train.trainer import Trainer


class AudioLLMTask(AbsTask):
    """Audio in, text out, as AbsTask wants it.

    Data names: ``speech`` (16 kHz audio) and ``text``, whose line is one example of examples.jsonl, as JSON.
    ``qwen-audio train`` builds its model here and then runs qwen_audio.train.trainer.Trainer, which resumes
    at any step; ESPnet's own trainer works too (one process, no mid-epoch resume).
    """

    num_optimizers = 1
    class_choices_list: list = []  # the slots are qwen_audio/registry.py's
    trainer = Trainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        parser.conflict_handler = "resolve"  # AbsTask's own --adapter is a LoRA switch; here LoRA is decoder_conf.lora
        group = parser.add_argument_group(description="Audio language model")
        group.add_argument("--tokenizer", type=str, help="folder that `qwen-audio tokenizer` wrote")
        group.add_argument("--tasks", nargs="+", default=[], help="tasks, in the order of their statistics")
        group.add_argument("--ctc_tokens", nargs="*", type=int, default=[], help="token ids CTC can emit")
        for slot in SLOTS:
            group.add_argument(f"--{slot}", type=str_or_none, default=DEFAULTS[slot])
            group.add_argument(f"--{slot}_conf", type=dict, default=DEFAULTS[f"{slot}_conf"])
        group.add_argument("--freeze_param", nargs="*", default=DEFAULTS["freeze_param"])

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ("speech",) if inference else ("speech", "text")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ()

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> Callable:
        raise NotImplementedError

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> AudioLLM:
        """The model of ``args``: the keys of qwen_audio/config.py, ``tokenizer``, ``tasks`` and ``ctc_tokens``."""
        config = with_all_keys({key: value for key, value in vars(args).items() if key in DEFAULTS})
        check_config(config)
        return build_model(config, Tokenizer(args.tokenizer), args.ctc_tokens, max(len(args.tasks), 1))
