"""Any Hugging Face causal language model as the decoder."""

import re
from pathlib import Path

from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from qwen_audio.infer.weights import empty_parameters
from qwen_audio.interop.llm import LM
from qwen_audio.interop.part import Part
from qwen_audio.interop.shards import weight_files
from qwen_audio.interop.tokens import save_tokenizer


class Names:
    """Names of a checkpoint's tensors, which may have been saved without the output projection (GPT-2, BLOOM)."""

    def __init__(self, lm: PreTrainedModel):
        self._known, self._body = set(lm.state_dict()), lm.base_model_prefix
        self._buffers = lm._keys_to_ignore_on_load_unexpected or []  # of older versions, in released files

    def targets(self, name: str) -> list[str] | None:
        """See NameMap."""
        for known in (name, f"{self._body}.{name}"):
            if known in self._known:
                return [LM + known]
        return [] if any(re.search(pattern, name) for pattern in self._buffers) else None


def matches(config: dict) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return config.get("model_type") in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and "audio" not in config


def read(folder: Path, config: dict) -> Part:
    shape = AutoConfig.from_pretrained(folder)
    shape.__dict__.pop("quantization_config", None)  # what is still quantised has tensors without a place
    with empty_parameters():
        names = Names(AutoModelForCausalLM.from_config(shape))
    return Part(
        f"causal LM ({shape.model_type})", folder, weight_files(folder), names,
        {"decoder": "hf_causal_lm", "decoder_conf": {}}, {"decoder": shape},
        lambda out: save_tokenizer(folder, out),
    )  # fmt: skip
