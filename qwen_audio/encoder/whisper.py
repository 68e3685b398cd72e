"""Encoder: the audio encoder of any Hugging Face Whisper, for clips of any length, padded to 30 s only if asked."""

import torch
from espnet2.asr.encoder.abs_encoder import AbsEncoder
from torch import Tensor
from transformers import AutoConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from qwen_audio.attention import attention_kernel
from qwen_audio.audio import HOP, SAMPLE_RATE
from qwen_audio.backbone import resolve


class Whisper(AbsEncoder):
    """Whisper's encoder on log-mel features; the audio encoder of Qwen-Audio (arXiv:2311.07919).

    A batch is as long as its longest clip; masks keep padding from every valid frame. Audio past the
    encoder's 1500 positions (30 s) is encoded in windows of 30 s. With ``pad_to`` every clip is followed by
    silence, as the released weights have learned it; a clip still gives just its own frames, unless
    ``keep_padding`` gives those of the silence too.

    Args:
        input_size: mel channels of the frontend.
        model: hub name or folder of a Whisper model.
        pretrained: load its weights; False starts from random ones of the same shape.
        pad_to: seconds, those of a window (30), or None.
        attend_padding: with ``pad_to``, whether attention reads the silence too: Whisper's does; that of
            Qwen-Audio and Qwen2-Audio stops at the clip's end.
        hear_padding: where attention stops at the clip's end, whether the convolutions hear the silence after it.
            Those of Qwen-Audio hear at most a mel frame of it, where the clip has an odd number of them.
        keep_padding: with ``pad_to``, give all frames of the windows: Whisper's own decoder repeats itself
            without end where it does not see the silence after the words.
        final_norm: normalise the last layer's output; Qwen-Audio does it after pooling instead
            (``adapter: pool_linear``).

    Raises:
        ValueError: if the model reads another number of mel channels than the frontend writes, or ``pad_to``
            is not the length of its window.
    """

    def __init__(
        self,
        input_size: int,
        model: str,
        pretrained: bool = True,
        pad_to: float | None = None,
        attend_padding: bool = True,
        hear_padding: bool = True,
        keep_padding: bool = False,
        final_norm: bool = True,
    ):
        super().__init__()
        model = resolve(model)
        config = AutoConfig.from_pretrained(model)
        if config.num_mel_bins != input_size:
            raise ValueError(
                f"encoder_conf.model {model!r} reads {config.num_mel_bins} mel channels, the frontend writes"
                f" {input_size}; set frontend_conf.n_mels: {config.num_mel_bins}"
            )
        if pretrained:
            body = WhisperModel.from_pretrained(
                model, dtype=torch.float32, attn_implementation="sdpa"
            ).encoder
        else:
            config._attn_implementation = "sdpa"
            body = WhisperEncoder(config)
        self.conv1, self.conv2 = body.conv1, body.conv2
        self.embed_positions = body.embed_positions.requires_grad_(True)  # as from_pretrained leaves it
        self.layers = body.layers
        self.layer_norm = body.layer_norm if final_norm else torch.nn.Identity()
        self.window = 2 * config.max_source_positions  # mel frames
        self.pad_to = self.window * HOP if pad_to is not None else None  # samples
        self.attend_padding = attend_padding or pad_to is None
        self.hear_padding = hear_padding
        self.keep_padding = keep_padding and pad_to is not None
        seconds = self.window * HOP / SAMPLE_RATE
        if pad_to not in (None, seconds):
            raise ValueError(
                f"encoder_conf.pad_to is {pad_to}; write {seconds:g}, the window of {model!r}, or null"
            )

    def output_size(self) -> int:
        return self.embed_positions.embedding_dim

    def num_frames(self, frames: int) -> int:
        """Encoder frames (20 ms) of a clip of ``frames`` mel frames (10 ms)."""
        if self.keep_padding:
            frames = -(-frames // self.window) * self.window
        whole, rest = divmod(frames, self.window)
        return whole * (self.window // 2) + (rest + 1) // 2

    def forward(self, xs_pad: Tensor, ilens: Tensor, prev_states=None) -> tuple[Tensor, Tensor, None]:
        """Shapes: xs_pad (B, T, mels), ilens (B,) -> (B, T', D), (B,), None; T' = ceil(T / 2), 20 ms a frame."""
        if self.pad_to and xs_pad.shape[1] % self.window:
            raise ValueError(
                f"encoder_conf.pad_to needs features of padded clips, these have {xs_pad.shape[1]} frames;"
                " let frontend: log_mel read audio (--feats_type raw), or set encoder_conf.pad_to: null"
            )
        if self.keep_padding:
            ilens = -(-ilens // self.window) * self.window
        if xs_pad.shape[1] <= self.window:
            return *self._encode(xs_pad, ilens), None
        windows = -(-xs_pad.shape[1] // self.window)
        padded = torch.nn.functional.pad(xs_pad, (0, 0, 0, windows * self.window - xs_pad.shape[1]))
        cut = padded.unflatten(1, (windows, self.window)).flatten(0, 1)
        starts = torch.arange(windows, device=ilens.device) * self.window
        lengths = (ilens[:, None] - starts).clamp(0, self.window).view(-1)
        filled = lengths > 0
        out, olens = self._encode(cut[filled], lengths[filled])
        whole = out.new_zeros(len(cut), self.window // 2, out.shape[2])
        whole[filled] = out
        total = olens.new_zeros(len(cut))
        total[filled] = olens
        total = total.view(-1, windows).sum(1)
        return whole.view(len(xs_pad), -1, out.shape[2])[:, : int(total.max())], total, None

    def _encode(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames = (lengths + 1) // 2
        longest = (mel.shape[1] + 1) // 2 if self.pad_to is None else int(frames.max())
        if not self.attend_padding:
            mel = mel[:, : 2 * longest + 1]  # all that the convolutions hear for the clips' own frames
            if not self.hear_padding:
                mel = mel * _valid(2 * frames, mel.shape[1])[..., None]
        hidden = torch.nn.functional.gelu(self.conv1(mel.transpose(1, 2)))
        if self.pad_to is None:
            hidden = hidden * _valid(lengths, hidden.shape[2])[:, None]  # what conv2 sees past a clip's end
        hidden = torch.nn.functional.gelu(self.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.embed_positions.weight[: hidden.shape[1]]
        whole = self.pad_to is not None and self.attend_padding
        mask = None if whole else _valid(frames, hidden.shape[1])[:, None, None, :]
        with attention_kernel(self, hidden):
            for layer in self.layers:
                hidden = layer(hidden, mask)
        hidden = hidden[:, :longest]
        return self.layer_norm(hidden) * _valid(frames, longest)[..., None], frames


def _valid(lengths: Tensor, longest: int) -> Tensor:
    return torch.arange(longest, device=lengths.device) < lengths[:, None]
