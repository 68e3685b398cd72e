"""A pretrained language model by folder or hub name: shape, tokenizer, weights.

transformers has no code of its own for Qwen's first generation (``model_type: qwen``; Qwen/Qwen-7B is the LLM of the
paper's table 6) and would run the repository's. Here it is Qwen2 under other names (qwen_audio/interop/qwen_audio.py).
"""

import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig

from qwen_audio.backbone import resolve
from qwen_audio.infer.weights import empty_parameters
from qwen_audio.interop import qwen_audio
from qwen_audio.interop.own import fetch
from qwen_audio.interop.place import collect
from qwen_audio.interop.tiktoken import convert

LM = "decoder.lm."  # of its tensors in a model of ours


def read_shape(model: str) -> PretrainedConfig:
    """Configuration of the transformers model that ``model`` is built as, an encoder too.

    Raises:
        ValueError: if it is a whole Qwen-Audio.
    """
    first = _first_generation(model)
    return (
        qwen_audio.llm_shape(Path(resolve(model)), first)
        if first
        else AutoConfig.from_pretrained(resolve(model))
    )


def embedding_rows(model: str) -> int | None:
    """Tokens that its embedding has rows for; None where the folder holds a tokenizer alone."""
    described, _ = PretrainedConfig.get_config_dict(resolve(model))
    return read_shape(model).get_text_config().vocab_size if described else None


def read_tokenizer(model: str):
    """Its tokenizer, as transformers loads one. Raises: ValueError as read_shape, or if a tiktoken file is missing."""
    if not _first_generation(model):
        return AutoTokenizer.from_pretrained(resolve(model))
    with tempfile.TemporaryDirectory() as scratch:
        ranks = qwen_audio.ranks_file(fetch(model, weights=False))
        convert(ranks, qwen_audio.TEXT_SPECIALS, Path(scratch))
        return AutoTokenizer.from_pretrained(scratch)


def speaks_chatml(model: str) -> bool:
    """Whether it is a chat model of Qwen's first generation: its form, ChatML, is in no chat template of its files."""
    return bool(_first_generation(model)) and qwen_audio.chats(fetch(model, weights=False))


def load_llm(model: str) -> torch.nn.Module:
    """It with its weights as they are stored. Raises: ValueError as read_shape, or if its weights do not fit."""
    first = _first_generation(model)
    if not first:
        return AutoModelForCausalLM.from_pretrained(resolve(model), dtype="auto")
    part = qwen_audio.read(fetch(model), first)
    tensors, _ = collect([part], None, [])
    with empty_parameters():
        lm = AutoModelForCausalLM.from_config(part.shapes["decoder"])
    try:
        lm.load_state_dict({name.removeprefix(LM): tensors[name] for name in tensors}, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{part.folder}: its weights do not fit its config.json: {reason}") from None
    return lm.eval()


def _first_generation(model: str) -> dict | None:
    """Its config.json where it is Qwen's first generation."""
    config, _ = PretrainedConfig.get_config_dict(resolve(model))
    if not qwen_audio.matches(config):
        return None
    if "audio" in config:
        raise ValueError(
            f"decoder_conf.model {model} is a whole Qwen-Audio; qwen-audio import {model} DIR, and write init: DIR"
        )
    return config
