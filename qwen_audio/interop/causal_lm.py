"""Any Hugging Face causal language model as the decoder."""

from pathlib import Path

from transformers import AutoConfig, AutoModelForCausalLM

from qwen_audio.interop.name_map import NameMap
from qwen_audio.interop.part import Part
from qwen_audio.interop.shards import weight_files
from qwen_audio.interop.tokens import save_tokenizer


def matches(config: dict) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return config.get("model_type") in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and "audio" not in config


def read(folder: Path, config: dict) -> Part:
    shape = AutoConfig.from_pretrained(folder)
    shape.__dict__.pop("quantization_config", None)  # what is still quantised has tensors without a place
    body = AutoModelForCausalLM._model_mapping[type(shape)].base_model_prefix
    names = NameMap({f"{body}.{{rest}}": f"decoder.lm.{body}.{{rest}}", "{rest}": "decoder.lm.{rest}"})
    return Part(
        f"causal LM ({shape.model_type})", folder, weight_files(folder), names,
        {"decoder": "hf_causal_lm", "decoder_conf": {}}, {"decoder": shape},
        lambda out: save_tokenizer(folder, out),
    )  # fmt: skip
