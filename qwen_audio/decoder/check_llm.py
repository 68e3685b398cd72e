"""Whether an LLM that is read piece by piece, as here, says what it says by itself."""

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from qwen_audio.decoder.causal import CausalDecoder
from qwen_audio.infer.prefix import Prefix

PLAIN = (DynamicLayer, DynamicSlidingWindowLayer)  # of a cache: keys and values of each place


def check_llm(decoder: CausalDecoder) -> None:
    """Compare logits of three tokens: read at once, and in a batch with a shorter text, the last from the cache.

    That takes little beside reading the weights. Where there are none (infer/weights.py) nothing is compared.

    Raises:
        ValueError: naming the family, if they differ, or if it cannot be read so at all.
    """
    lm = decoder.lm
    if any(parameter.is_meta for parameter in lm.parameters()):
        return
    training = lm.training
    lm.eval()
    try:
        expected, found = _logits(decoder)
    except Exception as error:  # each family has its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(refusal(lm, reason)) from error
    finally:
        lm.train(training)
    change = float((found - expected).norm() / expected.norm())
    if change > torch.finfo(lm.dtype).eps ** 0.5:
        raise ValueError(refusal(lm, f"its logits change by {100 * change:.2g} %"))


def refusal(lm: torch.nn.Module, why: str) -> str:
    """What to say of an LLM that cannot be the decoder."""
    return (
        f"decoder_conf.model: an LLM of model_type {lm.config.model_type} cannot be read as the decoder: {why};"
        " name one of another family, such as Qwen2 or Llama"
    )


@torch.no_grad()
def _logits(decoder: CausalDecoder) -> tuple[Tensor, Tensor]:
    """(5, V) of the LLM by itself, and of the decoder: three positions, and the last ones of two texts in a batch."""
    ids = torch.tensor([[1, 2, 3]])
    own = decoder.lm(input_ids=ids).logits[0]
    whole = decoder.logits(decoder(decoder.embed(ids), None, None)[0])[0]
    texts, lengths = torch.tensor([[1, 2], [1, 0]]), torch.tensor([2, 1])
    prefix = Prefix.empty(2, "cpu").extend(decoder, decoder.embed(texts), lengths)
    if not all(type(layer) in PLAIN for layer in prefix.cache.layers):
        raise ValueError("it caches more than keys and values")
    last = decoder.logits(prefix.append(decoder, torch.tensor([3, 2])).hidden)
    pair = torch.cat([own, own[[2, 1]]]), torch.cat([whole, last])
    return tuple(logits[:, : decoder.base_size].float() for logits in pair)
