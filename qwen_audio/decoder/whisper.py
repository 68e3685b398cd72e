"""Decoder: Whisper's own text decoder, which reads the audio by cross-attention."""

import torch
from torch import Tensor
from transformers import AutoConfig, DynamicCache, EncoderDecoderCache, GenerationConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperDecoder

from qwen_audio.attention import attention_kernel
from qwen_audio.backbone import resolve
from qwen_audio.decoder.causal import CausalDecoder, Inputs, initial_rows
from qwen_audio.decoder.lora import add_lora


class Whisper(CausalDecoder):
    """The text decoder of any Hugging Face Whisper, one audio a text.

    The placeholder of the audio takes no position in the text. Frames past a clip's end are masked, so that a
    clip need not be padded to 30 s and does not depend on its batch.

    Args:
        base_size: tokens of Whisper's tokenizer.
        new_tokens: tokens appended to its vocabulary, in order (qwen_audio/tags.py).
        model: hub name or folder.
        pretrained: load its weights; False starts from random ones of the same shape.
        lora: options of peft.LoraConfig; the base weights are then frozen.
        suppress: ids of tokens that are never written, such as Whisper's own ``suppress_tokens``.
    """

    def __init__(
        self,
        base_size: int,
        new_tokens: list[str],
        model: str,
        pretrained: bool = True,
        lora: dict | None = None,
        suppress: list[int] | None = None,
    ):
        super().__init__()
        model = resolve(model)
        config = AutoConfig.from_pretrained(model)
        if pretrained:
            self.lm = WhisperModel.from_pretrained(
                model, dtype=torch.float32, attn_implementation="sdpa"
            ).decoder
        else:
            config._attn_implementation = "sdpa"
            self.lm = WhisperDecoder(config)
        self.base_size = base_size
        self.hidden_size, self.max_positions = config.d_model, config.max_target_positions
        self.vocab_size = base_size + len(new_tokens)
        if new_tokens:
            self.new_rows = torch.nn.Parameter(initial_rows(self.base_rows(), new_tokens))
        if lora is not None:
            self.add_lora(lora)
        self.register_buffer("suppress", torch.tensor(suppress or [], dtype=torch.long), persistent=False)
        heads = torch.zeros(config.decoder_layers, config.decoder_attention_heads, dtype=torch.bool)
        heads[config.decoder_layers // 2 :] = True
        if pretrained and (published := _published_heads(model)):
            heads[:] = False
            heads[tuple(torch.tensor(published).T)] = True
        self.register_buffer("alignment", heads)  # stored with the weights: config.json does not name them

    def add_lora(self, options: dict) -> None:
        """Freeze the decoder and put LoRA matrices into it; also after its weights came from a trained model."""
        add_lora(self.lm, options)

    def base_rows(self) -> Tensor:
        return self.lm.embed_tokens.weight[: self.base_size]

    def body(self) -> torch.nn.Module:
        return self.lm

    def logits(self, hidden: Tensor) -> Tensor:
        """As in CausalDecoder; -inf for suppressed tokens."""
        return super().logits(hidden).index_fill(-1, self.suppress, float("-inf"))

    def join(
        self, text: Tensor, text_lengths: Tensor, frames: Tensor, frame_lengths: Tensor,
        placeholder: int, longest: int | None = None,
    ) -> Inputs:  # fmt: skip
        """Text without its placeholder, and the audio as memory; ``longest`` is not needed.

        Raises:
            ValueError: if a text has no audio, or more than one.
        """
        step = torch.arange(text.shape[1], device=text.device)
        real = step < text_lengths[:, None]
        audio = (text == placeholder) & real
        if bool((audio.sum(1) != 1).any()):
            counts = ", ".join(map(str, audio.sum(1).unique().tolist()))
            raise ValueError(f"decoder whisper reads one audio a text; here are texts with {counts}")
        read = real & ~audio
        starts = read.cumsum(1) - read.long()
        at = torch.where(read, starts, text.shape[1] - 1)  # the last place is free: the placeholder left it
        embeddings = self.embed(text)
        out = torch.zeros_like(embeddings).scatter(1, at[..., None].expand_as(embeddings), embeddings)
        return Inputs(out[:, :-1], text_lengths - 1, starts, (frames.to(out.dtype), frame_lengths))

    def audio_attention(self) -> list[torch.nn.Module]:
        """See CausalDecoder; here cross-attention."""
        return [layer.encoder_attn for layer in self.lm.layers]

    @property
    def num_heads(self) -> int:
        return self.alignment.shape[1]

    def alignment_heads(self) -> list[tuple[int, int]]:
        """See CausalDecoder; those published with the model, else all of the upper half."""
        return [tuple(pair) for pair in self.alignment.nonzero().tolist()]

    def forward(
        self,
        embeddings: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        cache=None,
        use_cache=False,
        memory=None,
    ):
        """See CausalDecoder; memory: frames (B, T, E), lengths (B,).

        Raises:
            ValueError: if a text is longer than the positions that Whisper knows.
        """
        frames, frame_lengths = memory
        if use_cache and cache is None:
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        at = self.known_positions(position_ids, attention_mask)
        hidden = embeddings + self.lm.embed_positions.weight[at].to(embeddings.dtype)
        hidden = torch.nn.functional.dropout(hidden, self.lm.dropout, self.training)
        keys = torch.arange(attention_mask.shape[1], device=hidden.device)
        seen = keys <= keys[-embeddings.shape[1] :, None]
        of_text = _additive(seen & (attention_mask[:, None] > 0), hidden.dtype)
        step = torch.arange(frames.shape[1], device=hidden.device)
        of_audio = _additive((step < frame_lengths[:, None])[:, None], hidden.dtype)
        with attention_kernel(self.lm, hidden):
            for layer in self.lm.layers:
                hidden = layer(hidden, of_text, frames, of_audio, cache, use_cache)
        return self.lm.layer_norm(hidden), cache


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """Attention mask of any kernel: seen (B, L, keys) bool -> (B, 1, L, keys), 0 or the lowest number."""
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]


def _published_heads(model: str) -> list[list[int]] | None:
    """(layer, head) pairs of generation_config.json; None where there is no such file or entry."""
    try:
        return getattr(GenerationConfig.from_pretrained(model), "alignment_heads", None)
    except OSError:
        return None
