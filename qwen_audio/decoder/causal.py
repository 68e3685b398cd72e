"""What every decoder answers: a causal language model over embeddings, with trainable rows for new tokens."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from qwen_audio.attention import attention_kernel
from qwen_audio.splice import splice

_NUMBERED = re.compile(r"<\|(|midi_pitch_|midi_velocity_)(\d+(?:\.\d+)?)\|>")
_UNITS = {"": 1.0, "midi_pitch_": 4.0, "midi_velocity_": 16.0}  # seconds, semitones, MIDI velocity


@dataclass(frozen=True)
class Inputs:
    """Text and audio, put together for a decoder.

    Attributes:
        embeddings: (B, L', E), padded on the right.
        lengths: (B,) real positions.
        starts: (B, L) position of every token of the text.
        memory: audio that is read beside the text: frames (B, T, E) and lengths (B,); None where it is spliced in.
    """

    embeddings: Tensor
    lengths: Tensor
    starts: Tensor
    memory: tuple[Tensor, Tensor] | None = None

    @property
    def mask(self) -> Tensor:
        """(B, L') 1 = real."""
        return (self.positions < self.lengths[:, None]).long()

    @property
    def positions(self) -> Tensor:
        """(B, L') position ids."""
        step = torch.arange(self.embeddings.shape[1], device=self.lengths.device)
        return step.expand(len(self.lengths), -1)


class CausalDecoder(torch.nn.Module):
    """Base of the decoder slot.

    A subclass provides ``hidden_size``, ``vocab_size``, ``base_rows()`` and ``body()``. Rows past the
    pretrained vocabulary (the tags of qwen_audio/tags.py) live in ``new_rows``, tied between input and
    output, so that they can be trained while the language model stays frozen.
    """

    hidden_size: int
    vocab_size: int
    max_positions: int | None = None  # that it has embeddings for; None where there is no such end
    window: int | None = None  # places of a cache past which its holes count (infer/prefix.py)

    def __init__(self):
        super().__init__()
        self.register_parameter("new_rows", None)
        self.register_parameter("new_output_rows", None)

    def base_rows(self) -> Tensor:
        """Input embeddings of the vocabulary without new rows, (V_base, E)."""
        raise NotImplementedError

    def base_output_rows(self) -> Tensor:
        """Output projection of the vocabulary without new rows, (V_base, E)."""
        return self.base_rows()

    def embed(self, ids: Tensor) -> Tensor:
        """Shapes: ids (...) -> (..., E)."""
        base = self.base_rows()
        if self.new_rows is None:
            return torch.nn.functional.embedding(ids, base)
        new = ids >= len(base)
        rows = torch.nn.functional.embedding(ids.masked_fill(new, 0), base)
        added = torch.nn.functional.embedding((ids - len(base)).clamp(min=0), self.new_rows)
        return torch.where(new[..., None], added.to(rows.dtype), rows)

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: hidden (..., E) -> (..., V)."""
        scores = hidden @ self.base_output_rows().T.to(hidden.dtype)
        if self.new_rows is None:
            return scores
        rows = self.new_rows if self.new_output_rows is None else self.new_output_rows
        return torch.cat([scores, hidden @ rows.T.to(hidden.dtype)], dim=-1)

    def body(self) -> torch.nn.Module:
        """The Hugging Face module from embeddings to hidden states."""
        raise NotImplementedError

    def join(
        self, text: Tensor, text_lengths: Tensor, frames: Tensor, frame_lengths: Tensor,
        placeholder: int, longest: int | None = None,
    ) -> Inputs:  # fmt: skip
        """Text with the audio in it; arguments as of ``splice`` (qwen_audio/splice.py)."""
        embeddings = self.embed(text)
        return Inputs(*splice(text, text_lengths, embeddings, frames, frame_lengths, placeholder, longest))

    def audio_attention(self) -> list[torch.nn.Module]:
        """Of every layer, the attention that reads audio; it returns (output, weights (B, heads, L, keys)).

        Raises:
            ValueError: if the language model's layers are named otherwise than transformers' usually are.
        """
        layers = getattr(self.body(), "layers", [None])
        if not all(hasattr(layer, "self_attn") for layer in layers):
            kind = type(self.body()).__name__
            raise ValueError(f"the attention of {kind} cannot be read: it has no layers[i].self_attn")
        return [layer.self_attn for layer in layers]

    @property
    def num_heads(self) -> int:
        """Attention heads of a layer."""
        return self.body().config.num_attention_heads

    def alignment_heads(self) -> list[tuple[int, int]]:
        """(layer, head) of the attention that may tell where a word is; here all of the upper half."""
        layers = len(self.audio_attention())
        return [(layer, head) for layer in range(layers // 2, layers) for head in range(self.num_heads)]

    def forward(
        self,
        embeddings: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        cache=None,
        use_cache=False,
        memory=None,
    ):
        """Run the language model.

        Shapes: embeddings (B, L, E), attention_mask (B, L_past + L) 1 = real, position_ids (B, L)
        -> hidden (B, L, E), cache. Without mask and positions all positions are real, from the first on.
        ``memory`` is that of ``join``: None, unless a subclass reads audio so.

        Raises:
            ValueError: if a text is longer than ``max_positions``.
        """
        body = self.body()
        if self.max_positions is not None:
            if position_ids is None:
                self._check_length(embeddings.shape[1])
            else:
                position_ids = self.known_positions(position_ids, attention_mask)
        with attention_kernel(body, embeddings):
            out = body(
                inputs_embeds=embeddings,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=cache,
                use_cache=use_cache,
            )
        return out.last_hidden_state, out.past_key_values

    def known_positions(self, position_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Position ids below ``max_positions``: those of padding are cut to it. Shapes and Raises: as ``forward``."""
        if attention_mask.shape[1] > self.max_positions:  # else nothing need be read from the device
            real = position_ids.masked_fill(attention_mask[:, -position_ids.shape[1] :] == 0, 0)
            self._check_length(int(real.max()) + 1)
        return position_ids.clamp(max=self.max_positions - 1)

    def _check_length(self, length: int) -> None:
        if length > self.max_positions:
            raise ValueError(
                f"the decoder has {self.max_positions} positions, a text has {length} tokens; leave out longer examples"
            )


def initial_rows(base: Tensor, names: list[str]) -> Tensor:
    """Start values of new embedding rows: the mean row plus noise at a tenth of the usual spread.

    Times, MIDI pitches and velocities get a smooth code of their number instead of noise, so that neighbours
    start alike.

    Shapes: base (V, E) -> (len(names), E).
    """
    if base.is_meta:  # shapes alone
        return base.new_empty(len(names), base.shape[1])
    generator = torch.Generator().manual_seed(0)
    base = base.detach().float()
    spread = base.std()
    rows = torch.randn(len(names), base.shape[1], generator=generator)
    found = [(i, match) for i, name in enumerate(names) if (match := _NUMBERED.fullmatch(name))]
    for kind, unit in _UNITS.items():
        numbered = [(i, float(match[2]) / unit) for i, match in found if match[1] == kind]
        if numbered:
            at = torch.tensor([number for _, number in numbered])
            rates = torch.logspace(-1.5, 1.0, base.shape[1] // 2)  # radians per unit: 200 to 0.6 units a turn
            angles = at[:, None] * rates
            code = torch.cat([angles.sin(), angles.cos()], dim=1)
            mix = torch.linalg.qr(torch.randn(code.shape[1], base.shape[1], generator=generator))[0]
            rows[[i for i, _ in numbered]] = code @ mix * 2**0.5
    return base.mean(0) + spread * rows
