"""Hugging Face's Qwen2-Audio, base and Instruct: names and settings, the same for both directions."""

from pathlib import Path

from transformers import Qwen2AudioConfig

from qwen_audio.interop.name_map import NameMap, under
from qwen_audio.interop.own import HOME
from qwen_audio.interop.part import DIALOGUES, Part, encoder_shape
from qwen_audio.interop.shards import weight_files
from qwen_audio.interop.tokens import rename_tokens
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, AUDIO_PAD

TOKENS = {"<|AUDIO|>": AUDIO_PAD, "<|audio_bos|>": AUDIO_BEGIN, "<|audio_eos|>": AUDIO_END}
ENCODER_CONF = {"pad_to": 30, "attend_padding": False, "final_norm": False}
LABEL = "Audio {}: "  # of its chat template
FRONTEND_CONF = {"round_up": True}  # its processor counts a begun hop as a frame
TENSORS = {  # as released
    "language_model.model.{rest}": "decoder.lm.model.{rest}",
    "language_model.lm_head.weight": "decoder.lm.lm_head.weight",
    "audio_tower.layer_norm.{part}": "adapter.norm.{part}",  # after pooling
    "audio_tower.{rest}": "encoder.{rest}",
    "multi_modal_projector.linear.{part}": "adapter.proj.{part}",
}
NEWER = under("model.", {name: new for name, new in TENSORS.items() if "language" not in name}, "") | {
    "model.language_model.{rest}": "decoder.lm.model.{rest}",
    "lm_head.weight": "decoder.lm.lm_head.weight",
}
# a level too many, as it saves them
OF_5_17 = {"language_model.model.model.{rest}": "decoder.lm.model.{rest}"}


def matches(config: dict) -> bool:
    return config.get("model_type") == "qwen2_audio"


def read(folder: Path, config: dict) -> Part:
    """The checkpoint in ``folder``; one that was exported from here gives back the very same model."""
    whole = Qwen2AudioConfig.from_pretrained(folder)
    audio = whole.audio_config
    encoder = encoder_shape(
        audio.num_mel_bins, audio.d_model, audio.encoder_layers, audio.encoder_attention_heads,
        audio.encoder_ffn_dim, audio.max_source_positions, activation_function=audio.activation_function,
        scale_embedding=audio.scale_embedding,
    )  # fmt: skip
    slots = {
        "frontend": "log_mel",
        "frontend_conf": {"n_mels": audio.num_mel_bins, **FRONTEND_CONF},
        "encoder": "whisper",
        "encoder_conf": dict(ENCODER_CONF),
        "adapter": "pool_linear",
        "adapter_conf": {"stride": 2},
        "decoder": "hf_causal_lm",
        "decoder_conf": {},
    }
    home = folder / HOME
    return Part(
        "Qwen2-Audio", folder, weight_files(folder), NameMap(OF_5_17 | TENSORS | NEWER), slots,
        {"encoder": encoder, "decoder": whole.text_config}, lambda out: rename_tokens(folder, TOKENS, out),
        tasks=[DIALOGUES], home=home if home.is_dir() else None, joined=home.is_dir(), audio_label=LABEL,
    )  # fmt: skip
