"""What a decoder has read so far: its cache, and how to go on from it."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from qwen_audio.decoder.causal import CausalDecoder, Inputs


@dataclass(frozen=True)
class Prefix:
    """N texts read by the decoder, one behind another in the cache with holes where a text was shorter.

    The attention mask keeps the holes from everything; position ids go on from each text's true length. So
    what follows does not depend on the texts it is batched with. transformers counts a sliding window in places of
    the cache, holes too: before it is passed, they are closed by moving what is real to the end.

    Attributes:
        cache: keys and values of the decoder; None before the first token.
        mask: (N, P) 1 = real.
        lengths: (N,) tokens read.
        hidden: (N, E) decoder output at the last token of each.
        memory: audio that is read beside the text (decoder/causal.py: Inputs), or None.
    """

    cache: object
    mask: Tensor
    lengths: Tensor
    hidden: Tensor
    memory: tuple[Tensor, Tensor] | None = None

    @classmethod
    def empty(cls, rows: int, device, memory: tuple[Tensor, Tensor] | None = None) -> "Prefix":
        lengths = torch.zeros(rows, dtype=torch.long, device=device)
        return cls(None, lengths.new_zeros(rows, 0), lengths, lengths.new_zeros(rows, 0), memory)

    @classmethod
    def start(cls, decoder: CausalDecoder, inputs: Inputs) -> "Prefix":
        """Text with audio, read; the text may be the audio alone."""
        prefix = cls.empty(len(inputs.lengths), inputs.lengths.device, inputs.memory)
        if inputs.embeddings.shape[1]:
            prefix = prefix.extend(decoder, inputs.embeddings, inputs.lengths)
        return prefix

    def extend(self, decoder: CausalDecoder, embeddings: Tensor, lengths: Tensor) -> "Prefix":
        """Read on; this object must not be used afterwards unless ``select`` copied it.

        Shapes: embeddings (N, L, E) padded on the right, lengths (N,) from 1 on.
        """
        return self.read(decoder, embeddings, lengths)[0]

    def read(self, decoder: CausalDecoder, embeddings: Tensor, lengths: Tensor) -> tuple["Prefix", Tensor]:
        """As ``extend``; and the decoder's output at each token, (N, L, E)."""
        step = torch.arange(embeddings.shape[1], device=embeddings.device)
        cache, past = self.cache, self.mask
        if decoder.window is not None:
            if cache is None:
                cache = DynamicCache()  # one made by the LLM would drop places past the window, holes counted
            if past.shape[1] + len(step) > decoder.window:
                past = _close_holes(cache, past)
        mask = torch.cat([past, (step < lengths[:, None]).long()], dim=1)
        positions = self.lengths[:, None] + step
        hidden, cache = decoder(embeddings, mask, positions, cache, use_cache=True, memory=self.memory)
        last = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
        return Prefix(cache, mask, self.lengths + lengths, last, self.memory), hidden

    def append(self, decoder: CausalDecoder, tokens: Tensor) -> "Prefix":
        """Read one token each; tokens (N,)."""
        return self.extend(decoder, decoder.embed(tokens)[:, None], torch.ones_like(tokens))

    def select(self, rows: Tensor) -> "Prefix":
        """The texts of these row numbers (M,), in this order; a row may stand several times."""
        cache = None if self.cache is None else _select(self.cache, rows)
        memory = None if self.memory is None else tuple(part[rows] for part in self.memory)
        return Prefix(cache, self.mask[rows], self.lengths[rows], self.hidden[rows], memory)


def _close_holes(cache: DynamicCache, mask: Tensor) -> Tensor:
    """Move the real places of each text to the end of ``cache``, in their order; gives the mask of that."""
    order = mask.argsort(dim=1, stable=True)
    closed = mask.gather(1, order)
    if not torch.equal(closed, mask):
        at = order[:, None, :, None]
        for layer in cache.layers:
            layer.keys = layer.keys.gather(2, at.expand_as(layer.keys))
            layer.values = layer.values.gather(2, at.expand_as(layer.values))
    return closed


def _select(cache, rows: Tensor):
    """A cache of these rows; ``cache`` stays as it is."""
    chosen = copy.copy(cache)
    if isinstance(cache, EncoderDecoderCache):
        chosen.self_attention_cache = _select(cache.self_attention_cache, rows)
        chosen.cross_attention_cache = _select(cache.cross_attention_cache, rows)
        chosen.is_updated = dict(cache.is_updated)
        return chosen
    chosen.layers = [copy.copy(layer) for layer in cache.layers]  # selecting replaces a layer's tensors
    chosen.batch_select_indices(rows)
    return chosen
