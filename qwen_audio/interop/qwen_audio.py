"""Released checkpoints of the first generation: Qwen-Audio, Qwen-Audio-Chat, and the text model Qwen.

Names and shapes were read in the released code; the LLM is Qwen2's architecture under other names. Its logn
attention and dynamic rotary base act past ``seq_length`` only, so the context ends there.
"""

import json
from pathlib import Path

import torch
from torch import Tensor
from transformers import Qwen2Config

from qwen_audio.interop.name_map import NameMap, under
from qwen_audio.interop.part import DIALOGUES, Part, encoder_shape
from qwen_audio.interop.shards import weight_files
from qwen_audio.interop.tiktoken import convert, read_ranks
from qwen_audio.interop.token_list import FILE, audio_tokens
from qwen_audio.registry import nearest
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, RELEASED
from qwen_audio.task_spec import TASKS_DIR, load_tasks

LLM = {
    "transformer.wte.weight": "decoder.lm.model.embed_tokens.weight",
    "transformer.h.{i}.ln_1.weight": "decoder.lm.model.layers.{i}.input_layernorm.weight",
    "transformer.h.{i}.ln_2.weight": "decoder.lm.model.layers.{i}.post_attention_layernorm.weight",
    "transformer.h.{i}.attn.c_attn.{part}": " ".join(
        f"decoder.lm.model.layers.{{i}}.self_attn.{which}_proj.{{part}}" for which in "qkv"
    ),
    "transformer.h.{i}.attn.c_proj.weight": "decoder.lm.model.layers.{i}.self_attn.o_proj.weight",
    "transformer.h.{i}.mlp.w2.weight": "decoder.lm.model.layers.{i}.mlp.gate_proj.weight",
    "transformer.h.{i}.mlp.w1.weight": "decoder.lm.model.layers.{i}.mlp.up_proj.weight",
    "transformer.h.{i}.mlp.c_proj.weight": "decoder.lm.model.layers.{i}.mlp.down_proj.weight",
    "transformer.ln_f.weight": "decoder.lm.model.norm.weight",
    "lm_head.weight": "decoder.lm.lm_head.weight",
}
ENCODER = {  # OpenAI's names of Whisper's audio encoder, without its last norm -> Hugging Face's
    "conv{i}.{part}": "conv{i}.{part}",
    "positional_embedding": "embed_positions.weight",
    "blocks.{i}.attn.query.{part}": "layers.{i}.self_attn.q_proj.{part}",
    "blocks.{i}.attn.key.weight": "layers.{i}.self_attn.k_proj.weight",
    "blocks.{i}.attn.value.{part}": "layers.{i}.self_attn.v_proj.{part}",
    "blocks.{i}.attn.out.{part}": "layers.{i}.self_attn.out_proj.{part}",
    "blocks.{i}.attn_ln.{part}": "layers.{i}.self_attn_layer_norm.{part}",
    "blocks.{i}.mlp_ln.{part}": "layers.{i}.final_layer_norm.{part}",
    "blocks.{i}.mlp.0.{part}": "layers.{i}.fc1.{part}",
    "blocks.{i}.mlp.2.{part}": "layers.{i}.fc2.{part}",
}
MARKS = "transformer.audio.audio_bos_eos_token.weight"  # its two rows belong into the embedding
AUDIO = under("transformer.audio.", ENCODER, "encoder.") | {
    "transformer.audio.ln_post.{part}": "adapter.norm.{part}",  # after pooling, unlike Whisper's
    "transformer.audio.proj.{part}": "adapter.proj.{part}",
    MARKS: MARKS,
}
TEXT_SPECIALS = RELEASED[: RELEASED.index("<|extra_204|>") + 1]  # of the text model


def matches(config: dict) -> bool:
    return config.get("model_type") == "qwen"


def read(folder: Path, config: dict) -> Part:
    """The checkpoint in ``folder``.

    Raises:
        ValueError: if its config.json lacks a key, or there is no tiktoken file.
    """
    ranks, llm = ranks_file(folder), llm_shape(folder, config)
    slots = {"decoder": "hf_causal_lm", "decoder_conf": {}}
    if "audio" not in config:
        specials = TEXT_SPECIALS
        return Part(
            "Qwen", folder, weight_files(folder), NameMap(LLM), slots, {"decoder": llm},
            lambda out: convert(ranks, specials, out),
        )  # fmt: skip
    specials, tuned = _specials(folder, config, ranks), chats(folder)
    of_audio = _Keys(folder / "config.json", config["audio"], "audio.")
    width = of_audio("n_state")
    encoder = encoder_shape(
        of_audio("n_mels"), width, of_audio("n_layer"), of_audio("n_head"), 4 * width, of_audio("n_ctx")
    )
    slots |= {
        "frontend": "log_mel",
        "frontend_conf": {"n_mels": encoder.num_mel_bins},
        "encoder": "whisper",
        "encoder_conf": {
            "pad_to": 30,
            "attend_padding": False,
            "hear_padding": False,
            "final_norm": False,
        },
        "adapter": "pool_linear",
        "adapter_conf": {"stride": 2},
        "timestamp_head": "tokens",
        "timestamp_head_conf": {"shared": True},
    }
    return Part(
        "Qwen-Audio", folder, weight_files(folder), NameMap(LLM | AUDIO), slots,
        {"encoder": encoder, "decoder": llm}, lambda out: convert(ranks, specials, out), place_marks,
        [*sorted(load_tasks(TASKS_DIR)), *([DIALOGUES] if tuned else [])], answer_times=tuned,
    )  # fmt: skip


def ranks_file(folder: Path) -> Path:
    """The tokenizer of the checkpoint in ``folder``. Raises: ValueError if there is none."""
    found = sorted(folder.glob("*.tiktoken"))
    if not found:
        raise ValueError(
            f"{folder} holds no .tiktoken file; fetch the tokenizer of the checkpoint, qwen.tiktoken"
        )
    return found[0]


def llm_shape(folder: Path, config: dict) -> Qwen2Config:
    """The language model of the checkpoint in ``folder``. Raises: ValueError if its config.json lacks a key."""
    get = _Keys(folder / "config.json", config)
    heads = get("num_attention_heads")
    return Qwen2Config(
        vocab_size=get("vocab_size"),
        hidden_size=get("hidden_size"),
        intermediate_size=get("intermediate_size") // 2,  # that of the two halves together
        num_hidden_layers=get("num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=get("seq_length"),
        rms_norm_eps=get("layer_norm_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": float(get("rotary_emb_base"))},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )


def _specials(folder: Path, config: dict, ranks: Path) -> list[str]:
    """Its special tokens in the order of their ids.

    Raises:
        ValueError: if they disagree with the id of ``<audio>`` in its config.json.
    """
    listed = audio_tokens(folder)
    specials = RELEASED if listed is None else [*TEXT_SPECIALS, *listed]
    begin, wanted = (
        len(read_ranks(ranks)) + specials.index(AUDIO_BEGIN),
        config["audio"].get("audio_start_id"),
    )
    if wanted not in (None, begin) and wanted < config["vocab_size"]:  # past it, it is of another vocabulary
        raise ValueError(
            f"{folder / 'config.json'}: audio.audio_start_id is {wanted}, {AUDIO_BEGIN} has id {begin} by the list of"
            f" Qwen-Audio's tokens; put the checkpoint's own {FILE} beside it, which lists its tokens"
        )
    return specials


def chats(folder: Path) -> bool:
    """Whether it is the model that was tuned for chat: its generation_config.json says in which form it does."""
    file = folder / "generation_config.json"
    return file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("chat_format") == "chatml"


def place_marks(tensors: dict[str, Tensor], token_id) -> None:
    """Put the learned begin and end of audio where a tokenizer's ids find them: rows of the embedding.

    Raises:
        ValueError: if the checkpoint has none.
    """
    if MARKS not in tensors:
        raise ValueError(f"{MARKS} is missing; the released checkpoints hold it")
    rows = tensors.pop(MARKS)
    embedding = tensors["decoder.lm.model.embed_tokens.weight"] = torch.clone(
        tensors["decoder.lm.model.embed_tokens.weight"]
    )
    for name, row in zip((AUDIO_BEGIN, AUDIO_END), rows, strict=True):
        embedding[token_id(name)] = row


class _Keys:
    """Keys of a config.json that must be there."""

    def __init__(self, file: Path, values: dict, prefix: str = ""):
        self._file, self._values, self._prefix = file, values, prefix

    def __call__(self, key: str):
        if key not in self._values:
            raise ValueError(f"{self._file} has no key {self._prefix}{key}{nearest(key, self._values)}")
        return self._values[key]
