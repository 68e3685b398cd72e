"""Load a trained model for inference from its folder (qwen_audio/model_folder.py)."""

import contextlib
import copy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from qwen_audio.build import DTYPES
from qwen_audio.config import GIVEN
from qwen_audio.data.dialogue import SOURCES
from qwen_audio.decoder.hf_causal_lm import HfCausalLm
from qwen_audio.decoder.quantize import check_quantize, quantize_llm
from qwen_audio.infer.options import InferenceConfig, load_inference_config
from qwen_audio.infer.stored import read_stored
from qwen_audio.infer.weights import settle
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import DECODE, RUN
from qwen_audio.registry import SLOTS, check_options, component_class, nearest
from qwen_audio.task_folders import find_task
from qwen_audio.task_spec import load_tasks, task_of
from qwen_audio.tokenizer import Tokenizer

LOAD_DTYPES = {**DTYPES, "float16": torch.float16}  # training in float16 would need its loss scaled


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference.

    Attributes:
        tasks: names of the tasks it was trained on, such as ``asr``.
        dtype: of the decoder's weights; in half precision the encoder computes under autocast.
        search: how answers to tasks are searched, by the folder's decode.yaml; without one greedily.
    """

    model: AudioLLM
    tokenizer: Tokenizer
    config: dict
    tasks: list[str]
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    search: InferenceConfig = field(default_factory=InferenceConfig)

    @property
    def shares_times(self) -> bool:
        """Whether it writes word times as the released Qwen-Audio does: ``shared`` of WordTimes."""
        return bool(self.config["timestamp_head_conf"].get("shared"))

    @torch.inference_mode()
    def encode(self, clips: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Audio to decoder embeddings.

        Shapes: clips (N_i,) samples at 16 kHz or (T_i, mels) features -> (A, T', E), lengths (A,).
        """
        return self.adapt(*self.hear(clips))

    @torch.inference_mode()
    def hear(self, clips: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Audio to encoder frames, (A, T, D), lengths (A,); ``clips`` as of ``encode``."""
        lengths = torch.tensor([len(clip) for clip in clips], device=self.device)
        speech = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True).to(self.device)
        with self._autocast():
            return self.model.hear(speech, lengths)

    @torch.inference_mode()
    def adapt(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder frames to decoder embeddings, (A, T', E), lengths (A,)."""
        with self._autocast():
            return self.model.adapter(hidden, lengths)

    def _autocast(self):
        half = self.dtype != torch.float32
        return torch.autocast(self.device.split(":")[0], self.dtype) if half else contextlib.nullcontext()

    def chat(self, **options):
        """A chat session; its options are those of ChatSession (qwen_audio/chat/session.py)."""
        from qwen_audio.chat.session import ChatSession

        return ChatSession(self, **options)

    def timestamp_head(self, name: str | None = None, search: InferenceConfig | None = None, **options):
        """The timestamp head that the configuration names, or another one with its options.

        Args:
            search: how its words are decoded; by default as the model's ``search`` says.

        Raises:
            ValueError: if there is none of that name, the configuration has none, or it is one that is trained
                with the model and was not.
        """
        own = self.config["timestamp_head"]
        chosen = name or own
        if chosen is None:
            raise ValueError(
                f"the model has no timestamp_head; name one{nearest('', SLOTS['timestamp_head'])}"
            )
        check_options("timestamp_head", chosen, options, set(GIVEN["timestamp_head"]))
        head = component_class("timestamp_head", chosen)
        if issubclass(head, torch.nn.Module):
            if chosen != own:
                raise ValueError(
                    f"timestamp_head {chosen} is trained with the model, and this model has {own}; train with"
                    f" timestamp_head: {chosen} and a weight for timestamp in loss_weights"
                )
            trained = copy.copy(self.model.timestamp_head)
            vars(trained).update(options, search=search)
            return trained
        found = head(**{**(self.config["timestamp_head_conf"] if chosen == own else {}), **options})
        found.search = search
        return found


def load_model(
    folder: str | Path, device: str = "cpu", dtype: str = "float32", quantize: str | None = None
) -> LoadedModel:
    """The model that ``export_model`` wrote; pretrained weights of its backbones are not needed.

    LoRA matrices are merged. Memory holds the weights once, in their final type; pages of the file can be dropped.

    Args:
        dtype: of the decoder; ``bfloat16`` is several times faster than ``float32`` where the CPU has AMX (or on a
            GPU), and rounds more; ``float16`` is for GPUs that do not know bfloat16.
        quantize: ``8bit`` or ``4bit`` keeps the LLM's linear layers so, by bitsandbytes; ``dtype`` is what they
            compute in (qwen_audio/decoder/quantize.py).

    Raises:
        ValueError: if a file or tensor is missing, left over or of another shape; names the first few. If one of its
            tasks has no file here. Or if the LLM cannot be quantised.
    """
    folder = Path(folder)
    if dtype not in LOAD_DTYPES:
        raise ValueError(f"dtype {dtype!r}{nearest(dtype, LOAD_DTYPES)}")
    if quantize is not None:
        check_quantize(quantize)
    stored = read_stored(folder)
    model = stored.model
    tasks, specs = list(dict.fromkeys(map(task_of, stored.run["tasks"]))), load_tasks()
    for name in tasks:
        if name not in SOURCES:
            find_task(name, specs, folder / RUN)
    decode = folder / DECODE
    search = load_inference_config(decode if decode.is_file() else None, specs)
    if quantize is not None:
        if not isinstance(model.decoder, HfCausalLm):
            raise ValueError(
                f"quantize {quantize}: decoder {stored.config['decoder']} holds no LLM, hf_causal_lm does; leave it out"
            )
        quantize_llm(model.decoder.lm, quantize, LOAD_DTYPES[dtype], device)
    settle(model, LOAD_DTYPES[dtype])
    model.requires_grad_(False).eval().to(device)
    return LoadedModel(model, stored.tokenizer, stored.config, tasks, device, LOAD_DTYPES[dtype], search)
