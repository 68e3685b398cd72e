"""Any Hugging Face Whisper as the encoder: whole, or without its text decoder."""

from pathlib import Path

from transformers import WhisperConfig

from qwen_audio.interop.name_map import NameMap
from qwen_audio.interop.part import Part
from qwen_audio.interop.shards import weight_files

TENSORS = {
    "model.encoder.{rest}": "encoder.{rest}",
    "encoder.{rest}": "encoder.{rest}",
    "model.decoder.{rest}": "",  # the text decoder; another one takes its place
    "decoder.{rest}": "",
    "proj_out.weight": "",
}
CONFIG = {  # and how Whisper hears: 30 s, silence and all
    "frontend": "log_mel",
    "encoder": "whisper",
    "encoder_conf": {"pad_to": 30},
    "adapter": "pool_linear",
    "adapter_conf": {"stride": 2},
}


def matches(config: dict) -> bool:
    return config.get("model_type") == "whisper"


def read(folder: Path, config: dict) -> Part:
    shape = WhisperConfig.from_pretrained(folder)
    slots = {**CONFIG, "frontend_conf": {"n_mels": shape.num_mel_bins}}
    return Part("Whisper", folder, weight_files(folder), NameMap(TENSORS), slots, {"encoder": shape})
