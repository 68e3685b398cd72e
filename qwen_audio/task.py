"""AudioLLMTask: the model as an ESPnet2 task, for ESPnet's own commands and for ESPnet3."""

import argparse
import functools
import json
import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch
from espnet2.tasks.abs_task import AbsTask
from espnet2.train.trainer import Trainer
from espnet2.utils.types import str_or_none
from torch import Tensor

from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, LOSSES, check_config, with_all_keys
from qwen_audio.data.collate import make_batch
from qwen_audio.data.tokenize import encode_example
from qwen_audio.model import AudioLLM
from qwen_audio.registry import SLOTS, nearest
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.optim import build_optimizer
from qwen_audio.train.option_checks import check_choices

LOSS_WEIGHTS = {"lm": 1.0}
OPTIMIZER_KEYS = ("optim", "optim_conf", "layer_decay", "lr_scale")


class AudioLLMTask(AbsTask):
    """Audio in, text out, as AbsTask wants it.

    Data names: ``speech`` (16 kHz audio) and ``text``, whose line is one example of examples.jsonl, as JSON.
    ``qwen-audio train`` builds the same model from the same keys, but reads tokenised sets and resumes at any
    step (qwen_audio/train/); importing this module loads espnet2's AbsTask, which takes seconds.
    """

    num_optimizers = 1
    class_choices_list: list = []  # the slots are qwen_audio/registry.py's
    trainer = Trainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        # AbsTask's own --adapter is a LoRA switch; here LoRA is decoder_conf.lora
        parser.conflict_handler = "resolve"
        group = parser.add_argument_group(description="Audio language model")
        group.add_argument("--tokenizer", type=str, help="folder that `qwen-audio tokenizer` wrote")
        group.add_argument("--tasks", nargs="+", default=[], help="tasks, in the order of their statistics")
        group.add_argument("--ctc_tokens", nargs="*", type=int, default=[], help="token ids CTC can emit")
        for slot in SLOTS:
            group.add_argument(f"--{slot}", type=str_or_none, default=DEFAULTS[slot])
            group.add_argument(f"--{slot}_conf", type=dict, default=DEFAULTS[f"{slot}_conf"])
        group.add_argument("--loss_weights", type=dict, default=LOSS_WEIGHTS, help=f"of {', '.join(LOSSES)}")
        parser.set_defaults(optim="adamw", optim_conf={})  # AbsTask's is adadelta
        group.add_argument("--layer_decay", type=float, default=DEFAULTS["layer_decay"])
        group.add_argument("--lr_scale", type=dict, default=DEFAULTS["lr_scale"])

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ("speech",) if inference else ("speech", "text")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ()

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> Callable[[str, dict], dict]:
        """(utterance, {speech (N,) float32, text: an example as JSON}) -> arrays for the collate function."""
        tokenizer, specs = Tokenizer(args.tokenizer), load_tasks()

        def preprocess(utt: str, data: dict) -> dict[str, np.ndarray]:
            example = json.loads(data["text"])
            if example.get("task") not in specs:
                raise ValueError(f"{utt}: task {example.get('task')!r}{nearest(example.get('task'), specs)}")
            spec = specs[example["task"]]
            spec.check(example)
            prompt, answer = encode_example(example, spec, tokenizer)
            return {
                "speech": data["speech"].astype(np.float32),
                "text": np.array(prompt + answer),
                "prompt": np.array(len(prompt)),
                "task": np.array(args.tasks.index(spec.stream(example)) if args.tasks else 0),
                "ctc": np.array(tokenizer.encode(spec.transcript(example) or ""), dtype=np.int64),
            }

        return preprocess

    @classmethod
    def build_collate_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[Sequence], tuple[list[str], dict]]:
        """[(utterance, arrays of the preprocess function)] -> utterances, the tensors of AudioLLM.forward."""
        pad = Tokenizer(args.tokenizer).pad

        def collate(rows: Sequence[tuple[str, dict]]) -> tuple[list[str], dict[str, Tensor]]:
            plain = [
                {
                    "text": row["text"],
                    "supervised": np.arange(len(row["text"])) >= row["prompt"],
                    "task": int(row["task"]),
                    "speech": [row["speech"]],
                    "ctc": [row["ctc"]],
                }
                for _, row in rows
            ]
            return [utt for utt, _ in rows], make_batch(plain, pad)

        return collate

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> AudioLLM:
        """The model of ``args``: the keys of qwen_audio/config.py, ``tokenizer``, ``tasks`` and ``ctc_tokens``.

        Its statistics are single numbers, as ESPnet's reporter wants them, with the loss of each task by name. What
        is packed for inference alone has no ``loss_weights``.
        """
        keys = [*SLOTS, *(f"{slot}_conf" for slot in SLOTS), "freeze_param"]
        weights = getattr(args, "loss_weights", LOSS_WEIGHTS)
        # ESPnet's trainer has one phase, of as many steps as it takes
        phase = {"steps": 1, "loss_weights": weights}
        config = with_all_keys({"phases": [phase], **{key: getattr(args, key) for key in keys}})
        try:
            check_config(config)
        except ValueError as error:
            raise ValueError(str(error).removeprefix("phases[0].")) from None
        model = build_model(config, Tokenizer(args.tokenizer), args.ctc_tokens, max(len(args.tasks), 1))
        model.loss_weights = weights or LOSS_WEIGHTS
        model.trained = {name for name, param in model.named_parameters() if param.requires_grad}
        model.register_forward_hook(functools.partial(_plain_numbers, tuple(args.tasks)))
        return model

    @classmethod
    def build_optimizers(
        cls, args: argparse.Namespace, model: torch.nn.Module
    ) -> list[torch.optim.Optimizer]:
        """AdamW with the parameter groups of qwen_audio/train/optim.py, of what ``build_model`` left trained.

        AbsTask freezes everything below ``freeze_param`` once more before: new tokens' rows and LoRA in the LLM too.
        """
        for name, param in model.named_parameters():
            if name in model.trained:
                param.requires_grad_(True)
        for term in ("ctc", "timestamp"):
            slot = LOSSES[term]
            if getattr(model, slot) is not None and not model.loss_weights.get(term):
                logging.warning(
                    f"{slot}: {getattr(args, slot)} is not trained: loss_weights are {model.loss_weights}; give"
                    f" {term} a weight, or write {slot}: null"
                )
        config = with_all_keys({key: getattr(args, key) for key in OPTIMIZER_KEYS})
        check_choices(config)
        return [build_optimizer(model, config)]


def _plain_numbers(tasks: Sequence[str], model: AudioLLM, inputs: tuple, output: tuple) -> tuple:
    """A forward hook: means in the place of sums with their counts, and ``loss_TASK`` in that of the sums over tasks.

    ``loss_TASK`` is NaN where a batch has none of it.
    """
    loss, stats, weight = output
    stats, by_task = dict(stats), {}
    if "task_tokens" in stats:  # there is none without the loss of the LLM
        means = stats.pop("task_loss_sum") / stats.pop("task_tokens")
        by_task = {f"loss_{task}": value for task, value in zip(tasks, means)}
    plain = {
        name: value[0] / value[1].clamp(min=1) if value.numel() == 2 else value
        for name, value in stats.items()
    }
    return loss, plain | by_task, weight
