"""LoRA matrices (arXiv:2106.09685) in a pretrained decoder."""

import torch

from qwen_audio.decoder.quantize import hush
from qwen_audio.registry import nearest

WHOLE_WEIGHTS = ("modules_to_save", "trainable_token_indices")  # options of peft for more than matrices


def add_lora(body: torch.nn.Module, options: dict) -> None:
    """Freeze ``body`` and put LoRA matrices into it.

    Args:
        options: of peft.LoraConfig, such as ``{r: 16, lora_alpha: 32}``; by default every linear layer gets them.

    Raises:
        ValueError: if ``options`` holds one that peft does not have, or that reaches further than matrices of layers.
    """
    hush()
    from peft import LoraConfig, inject_adapter_in_model

    valid = LoraConfig.__dataclass_fields__
    for key in options:
        if key not in valid:
            raise ValueError(f"decoder_conf.lora.{key}: no such option{nearest(key, valid)}")
        if key in WHOLE_WEIGHTS and options[key]:
            raise ValueError(
                f"decoder_conf.lora.{key}: whole weights are not trained beside LoRA; leave it out (rows of new tokens"
                " are trained all the same), or train the whole LLM without decoder_conf.lora"
            )
    body.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(**{"target_modules": "all-linear", **options}), body)
    if any(hasattr(layer, "lora_A") for layer in (body.get_input_embeddings(), body.get_output_embeddings())):
        raise ValueError(
            f"decoder_conf.lora.target_modules: {options['target_modules']} names the embedding or the output"
            " projection, which get no matrices; leave it out"
        )
