"""Decoder: any Hugging Face causal language model; frozen, fully trained, or with LoRA."""

import inspect

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from qwen_audio.attention import use_grouped_attention
from qwen_audio.decoder.causal import CausalDecoder, initial_rows
from qwen_audio.decoder.check_llm import check_llm, refusal
from qwen_audio.decoder.lora import add_lora
from qwen_audio.decoder.quantize import KINDS
from qwen_audio.interop.llm import load_llm, read_shape
from qwen_audio.registry import nearest

WINDOWS = ("sliding_window", "window_size")  # of attention, in configurations; the second is GPT-Neo's
POSITIONS = ("wpe", "embed_positions")  # tables of so many positions, such as GPT-2's, OPT's and GPT-J's


class HfCausalLm(CausalDecoder):
    """The LLM of Qwen-Audio: Qwen-7B there, any causal LM here.

    What families do between embedding, layers and output projection is done here too: embeddings are scaled (Gemma),
    logits have a bias (Phi), a scale (Cohere, Granite), a soft cap (Gemma 2). Rows of new tokens are stored as all
    others are, unscaled. An LLM that does more is refused (qwen_audio/decoder/check_llm.py).

    Args:
        base_size: the LLM's own tokens; embedding rows past them (some models keep spare ones) are not used.
        new_tokens: tokens appended to the LLM's vocabulary, in order (qwen_audio/tags.py).
        model: hub name or folder of any causal LM of transformers, or of Qwen's first generation.
        pretrained: load its weights; False starts from random ones of the same shape.
        lora: options of peft.LoraConfig, such as ``{r: 16, lora_alpha: 32}``; the base weights are then
            frozen. By default every linear layer gets an adapter.
        quantize: ``8bit`` or ``4bit``: a training keeps the frozen linear layers so (qwen_audio/decoder/quantize.py).
            What stage 5 writes is whole again: weights as they were before, and what was trained.
        gradient_checkpointing: recompute activations in the backward pass, for memory.

    Raises:
        ValueError: if ``lora`` holds an option that cannot be used, ``quantize`` is unknown, or ``model`` is a whole
            Qwen-Audio, of a family that cannot be read here, or has fewer embeddings than ``base_size``.
    """

    def __init__(
        self,
        base_size: int,
        new_tokens: list[str],
        model: str,
        pretrained: bool = True,
        lora: dict | None = None,
        quantize: str | None = None,
        gradient_checkpointing: bool = False,
    ):
        super().__init__()
        if quantize is not None and quantize not in KINDS:
            raise ValueError(f"decoder_conf.quantize {quantize!r}{nearest(quantize, KINDS)}")
        self.lm = load_llm(model) if pretrained else AutoModelForCausalLM.from_config(read_shape(model))
        use_grouped_attention(self.lm)
        if self.lm.get_output_embeddings() is None:
            raise ValueError(refusal(self.lm, "it has no output projection"))
        base = self.lm.get_input_embeddings().weight
        head = self.lm.get_output_embeddings().weight
        if base_size > len(base):
            raise ValueError(
                f"decoder_conf.model {model} has embeddings for {len(base)} tokens, the tokenizer is of {base_size};"
                " make the tokenizer again (stage 2)"
            )
        self.base_size = base_size
        self.hidden_size = base.shape[1]
        self.vocab_size = base_size + len(new_tokens)
        if new_tokens:
            self.new_rows = torch.nn.Parameter(initial_rows(base[:base_size], new_tokens))
            if head is not base:
                self.new_output_rows = torch.nn.Parameter(initial_rows(head[:base_size], new_tokens))
        config = self.lm.config.get_text_config()
        self.logit_scale = getattr(self.lm, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
        self.logit_cap = getattr(config, "final_logit_softcapping", None)
        self.window = next((width for name in WINDOWS if (width := getattr(config, name, None))), None)
        if "position_ids" not in inspect.signature(self.body().forward).parameters:
            self.window = 0  # it takes places for positions, as MPT does
        parts = (*self.body().named_modules(), *self.body().named_buffers())
        if any(name.rpartition(".")[2] in POSITIONS for name, _ in parts):
            self.max_positions = config.max_position_embeddings
        check_llm(self)
        if gradient_checkpointing:
            self.lm.gradient_checkpointing_enable({"use_reentrant": False})
        if lora is not None:
            self.add_lora(lora)

    def add_lora(self, options: dict) -> None:
        """Freeze the LLM and put LoRA matrices into it; also after its weights came from a trained model."""
        add_lora(self.lm, options)

    def base_rows(self) -> Tensor:
        return self.lm.get_input_embeddings().weight[: self.base_size]

    def base_output_rows(self) -> Tensor:
        return self.lm.get_output_embeddings().weight[: self.base_size]

    def embed(self, ids: Tensor) -> Tensor:
        """As in CausalDecoder; scaled where the LLM's own embedding scales."""
        rows, scale = super().embed(ids), getattr(self.lm.get_input_embeddings(), "embed_scale", None)
        if scale is None:
            return rows
        return rows * (scale.to(rows.dtype) if isinstance(scale, Tensor) else scale)

    def logits(self, hidden: Tensor) -> Tensor:
        """As in CausalDecoder; with the LLM's bias (new tokens have none), scale and soft cap."""
        scores = super().logits(hidden)
        bias = getattr(self.lm.get_output_embeddings(), "bias", None)
        if bias is not None:
            new = self.vocab_size - self.base_size
            scores = scores + torch.nn.functional.pad(bias[: self.base_size].to(scores.dtype), (0, new))
        if self.logit_scale != 1.0:
            scores = scores * self.logit_scale
        if self.logit_cap is not None:
            scores = self.logit_cap * torch.tanh(scores / self.logit_cap)
        return scores

    def body(self) -> torch.nn.Module:
        return self.lm.get_decoder()
