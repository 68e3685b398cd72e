"""Which kernel computes attention."""

from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, is_grad_enabled, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SHORT = 192  # positions up to which the plain kernel is the faster one, forward and backward together


def attention_kernel(module: nn.Module, hidden: Tensor) -> AbstractContextManager:
    """Context for a forward pass of ``module`` over ``hidden`` (B, L, E) with scaled dot product attention.

    PyTorch's fused kernel for CPUs is slow backwards on short sequences: in bfloat16, forward and backward of
    45 positions take 2.4 times as long as with the plain kernel, of 120 positions 1.4 times, of 310 half as long
    (tools/bench/attention.py).
    """
    # what is recomputed is so in the backward pass, outside of any context
    recomputes = getattr(module, "is_gradient_checkpointing", False)
    if recomputes or hidden.device.type != "cpu" or not is_grad_enabled() or hidden.shape[1] > SHORT:
        return nullcontext()
    return sdpa_kernel(SDPBackend.MATH)


GROUPED = "sdpa_grouped"  # name of grouped_attention in transformers' list


def use_grouped_attention(lm: PreTrainedModel) -> None:
    """Let a language model with scaled dot product attention compute it by ``grouped_attention``."""
    if lm.config._attn_implementation == "sdpa" and lm._supports_attention_backend:
        lm.set_attn_implementation(GROUPED)


def grouped_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options
) -> tuple[Tensor, None]:
    """transformers' sdpa; where one token is read and several query heads share a key head, in a faster order.

    The query heads of a group stand as so many queries of one head then, so that keys and values need no copy for
    each. On a CPU, 64 texts of 100 positions take 0.9 ms instead of 4.7 in bfloat16, 0.6 instead of 2.6 in float32.

    Shapes: query (B, H, L, D), key and value (B, G, K, D), attention_mask (B, 1, L, K) -> (B, L, H, D), None.
    """
    batch, heads, length, width = query.shape
    groups = key.shape[1]
    alike = attention_mask is None or attention_mask.shape[1] == 1
    if length > 1 or groups == heads or not alike or options.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    out = nn.functional.scaled_dot_product_attention(
        query.reshape(batch, groups, heads // groups, width),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=options.get("dropout", 0.0),
        scale=options.get("scaling"),
    )
    return out.reshape(batch, 1, heads, width), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)
