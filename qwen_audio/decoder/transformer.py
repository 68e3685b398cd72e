"""Decoder: a small causal transformer trained from scratch, for runs without a pretrained LLM."""

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from qwen_audio.decoder.causal import CausalDecoder


class Transformer(CausalDecoder):
    """Llama's architecture with random weights over the vocabulary of the run's tokenizer.

    Args:
        base_size: size of the vocabulary (a sentencepiece model holds the tags as user-defined symbols).
        new_tokens: tokens past it, where the tokenizer comes from an LLM.
        hidden_size, layers, heads, ffn_size: shape of the network.
        dropout: on attention weights.
    """

    def __init__(
        self,
        base_size: int,
        new_tokens: list[str],
        hidden_size: int = 256,
        layers: int = 4,
        heads: int = 4,
        ffn_size: int = 1024,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.hidden_size = hidden_size
        self.vocab_size = base_size + len(new_tokens)
        config = LlamaConfig(
            vocab_size=self.vocab_size,
            hidden_size=hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=ffn_size,
            attention_dropout=dropout,
        )
        self.lm = LlamaModel(config)

    def base_rows(self) -> Tensor:
        return self.lm.embed_tokens.weight

    def body(self) -> torch.nn.Module:
        return self.lm
