"""LoRA matrices (arXiv:2106.09685) in a pretrained decoder."""

import torch

from qwen_audio.decoder.quantize import hush
from qwen_audio.registry import nearest


def add_lora(body: torch.nn.Module, options: dict) -> None:
    """Freeze ``body`` and put LoRA matrices into it.

    Args:
        options: of peft.LoraConfig, such as ``{r: 16, lora_alpha: 32}``; by default every linear layer gets them.

    Raises:
        ValueError: if ``options`` holds one that peft does not have.
    """
    hush()
    from peft import LoraConfig, inject_adapter_in_model

    valid = LoraConfig.__dataclass_fields__
    for key in options:
        if key not in valid:
            raise ValueError(f"decoder_conf.lora.{key}: no such option{nearest(key, valid)}")
    body.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(**{"target_modules": "all-linear", **options}), body)
