"""What a decoder has read so far: its cache, and how to go on from it."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from qwen_audio.decoder.causal import CausalDecoder


@dataclass(frozen=True)
class Prefix:
    """N texts read by the decoder, one behind another in the cache with holes where a text was shorter.

    The attention mask keeps the holes from everything; position ids go on from each text's true length. So
    what follows does not depend on the texts it is batched with.

    Attributes:
        cache: keys and values of the decoder; None before the first token.
        mask: (N, P) 1 = real.
        lengths: (N,) tokens read.
        hidden: (N, E) decoder output at the last token of each.
    """

    cache: object
    mask: Tensor
    lengths: Tensor
    hidden: Tensor

    @classmethod
    def empty(cls, rows: int, device) -> "Prefix":
        lengths = torch.zeros(rows, dtype=torch.long, device=device)
        return cls(None, lengths.new_zeros(rows, 0), lengths, lengths.new_zeros(rows, 0))

    def extend(self, decoder: CausalDecoder, embeddings: Tensor, lengths: Tensor) -> "Prefix":
        """Read on; this object must not be used afterwards unless ``select`` copied it.

        Shapes: embeddings (N, L, E) padded on the right, lengths (N,) from 1 on.
        """
        step = torch.arange(embeddings.shape[1], device=embeddings.device)
        mask = torch.cat([self.mask, (step < lengths[:, None]).long()], dim=1)
        positions = self.lengths[:, None] + step
        hidden, cache = decoder(embeddings, mask, positions, self.cache, use_cache=True)
        last = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
        return Prefix(cache, mask, self.lengths + lengths, last)

    def append(self, decoder: CausalDecoder, tokens: Tensor) -> "Prefix":
        """Read one token each; tokens (N,)."""
        return self.extend(decoder, decoder.embed(tokens)[:, None], torch.ones_like(tokens))

    def select(self, rows: Tensor) -> "Prefix":
        """The texts of these row numbers (M,), in this order; a row may stand several times."""
        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in cache.layers]  # selecting replaces a layer's tensors
        cache.batch_select_indices(rows)
        return Prefix(cache, self.mask[rows], self.lengths[rows], self.hidden[rows])
