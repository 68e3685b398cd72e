"""The linear layers of an LLM in 8 or 4 bits, by bitsandbytes."""

import logging
from collections.abc import Iterator

import torch

from qwen_audio.registry import nearest

KINDS = ("8bit", "4bit")
BLOCK = 64  # weights with one scale; on a CPU bitsandbytes 0.50 misreads a block that goes on in the next row
OUTLIER = 6.0  # activations above are multiplied unquantised, as LLM.int8() has it (arXiv:2208.07339)


def hush() -> None:
    """Keep bitsandbytes from warning, at its import, that an optional kernel is missing; peft imports it too."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def check_quantize(kind: str) -> None:
    """Raises: ValueError if ``kind`` is none of KINDS, or bitsandbytes is not installed."""
    if kind not in KINDS:
        raise ValueError(f"quantize {kind!r}{nearest(kind, KINDS)}")
    hush()
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise ValueError(f"quantize {kind} needs bitsandbytes: pip install bitsandbytes") from None


def quantize_llm(lm: torch.nn.Module, kind: str, dtype: torch.dtype, device: str = "cpu") -> None:
    """Replace every linear layer of ``lm`` by one that keeps its weight in ``kind``, one after another.

    Embeddings, norms, the output projection and LoRA matrices keep theirs. 4bit: NF4 with its scales quantised too
    (arXiv:2305.14314); 8bit: LLM.int8().

    Args:
        dtype: that 4-bit layers compute in.
        device: where the weights are quantised and stay.

    Raises:
        ValueError: if a weight is to be trained, or most weights are in layers of another kind.
    """
    inner = {id(weight): weight.numel() for name, weight in lm.named_parameters() if ".lora_" not in name}
    for outer in (lm.get_input_embeddings(), lm.get_output_embeddings()):
        inner.pop(id(outer.weight), None)
    share = sum(layer.weight.numel() for _, _, layer in _linear_layers(lm)) / sum(inner.values())
    if share < 0.5:
        raise ValueError(
            f"quantize {kind}: only linear layers can be, and of an LLM of model_type {lm.config.model_type} they hold"
            f" {100 * share:.0f} % of the weights between embedding and output projection; leave it out"
        )
    for parent, name, layer in _linear_layers(lm):
        if layer.weight.requires_grad:
            raise ValueError(
                f"decoder_conf.quantize: {kind} weights cannot be trained; add decoder_conf.lora, or"
                " freeze_param: [decoder]"
            )
        setattr(parent, name, _quantized(layer, kind, dtype).to(device))


def _linear_layers(lm: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    """Each with the module it stands in and its name there, which may be given to another."""
    head = lm.get_output_embeddings()
    for path, parent in list(lm.named_modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is torch.nn.Linear and layer is not head and ".lora_" not in f"{path}.{name}":
                yield parent, name, layer


def _quantized(layer: torch.nn.Linear, kind: str, dtype: torch.dtype) -> torch.nn.Module:
    from bitsandbytes import nn

    weight = layer.weight.detach().to(dtype)
    missing = -layer.in_features % BLOCK if kind == "4bit" else 0
    weight = torch.nn.functional.pad(weight, (0, missing))
    rows, columns = weight.shape
    with torch.device("meta"):  # its own weight is replaced at once
        if kind == "4bit":
            made = nn.Linear4bit(columns, rows, bias=False, compute_dtype=dtype, quant_type="nf4")
        else:
            made = nn.Linear8bitLt(columns, rows, bias=False, has_fp16_weights=False, threshold=OUTLIER)
    if kind == "4bit":
        # else its CPU path would pack the weights anew, and could not train with them
        made.support_avx512bf16_for_cpu = False
        made.weight = nn.Params4bit(weight, requires_grad=False, quant_type="nf4", module=made)
    else:
        made.weight = nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    if missing:
        made.register_forward_pre_hook(lambda _, given: torch.nn.functional.pad(given[0], (0, missing)))
    made.bias = layer.bias
    return made.requires_grad_(False)
