"""Frontend: Whisper's log-mel spectrogram, computed on the device for clips of any length."""

import functools

import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from torch import Tensor

from qwen_audio.audio import HOP, N_FFT, SAMPLE_RATE

CHUNK = 30 * SAMPLE_RATE  # samples; Whisper fills shorter clips up with silence


@functools.lru_cache
def mel_filters(n_mels: int, device: torch.device) -> Tensor:
    """Slaney-normalised mel filters, (n_mels, N_FFT // 2 + 1), as Whisper's feature extractor uses.

    Kept for each device: a copy in every step would wait for it.
    """
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(N_FFT // 2 + 1, n_mels, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, "slaney", "slaney")
    return torch.from_numpy(bank.T).float().to(device)


def num_frames(samples, round_up: bool = False):
    """Whole hops in ``samples``, or begun ones: a number, or a tensor of numbers."""
    return (samples + HOP - 1) // HOP if round_up else samples // HOP


def log_mel(
    wave: Tensor, lengths: Tensor, n_mels: int = 80, pad_to: int | None = None, round_up: bool = False
) -> tuple[Tensor, Tensor]:
    """Log-mel features with Whisper's scaling, the same for a clip alone and zero-padded in a batch.

    The clip counts as followed by silence, as in Whisper's 30 s padding: the clamp at 8 below the
    maximum (in log10) takes the same value, that of frames past the clip's own included, which still hear
    its end. A clip of 30 s and more ends in its own reflection, as there. A clip has ``samples // HOP``
    frames, at least one.

    Args:
        pad_to: samples; the features go on through the silence that fills each clip up to a multiple of it.
        round_up: a last hop that is not whole counts as a frame.

    Shapes: wave (B, N) in ±1, lengths (B,) samples -> (B, T, n_mels) float32, (B,) frames of the clips; zeros
    past a clip's end, or the features of silence with ``pad_to``.
    """
    wave = wave.float()
    half = N_FFT // 2
    frames = num_frames(lengths, round_up).clamp(min=1)
    if pad_to is None:
        longest, end = max(num_frames(wave.shape[1], round_up), 1), lengths.clamp(min=CHUNK)
    else:
        longest = max(-(-wave.shape[1] // pad_to), 1) * pad_to // HOP
        end = -(-lengths // pad_to) * pad_to
    with_sound = torch.minimum(frames + 3, end // HOP)  # three more frames still hear its end
    heard = torch.where(lengths < end, with_sound, frames)
    wave = torch.nn.functional.pad(wave, (0, (longest + 2) * HOP + half - wave.shape[1]))
    step = torch.arange(1, half + 1, device=wave.device)
    echoes = lengths + half > end  # sound so near the end of the padded clip that it is reflected there
    last = torch.where(echoes, end, lengths)[:, None] - 1
    echo = wave.gather(1, (last - step).clamp(min=0)) * echoes[:, None]
    wave = torch.where(echoes[:, None], wave.scatter(1, last + step, echo), wave)
    wave = torch.cat([wave[:, 1 : half + 1].flip(1), wave], dim=1)
    window = torch.hann_window(N_FFT, device=wave.device)
    spectrum = torch.stft(wave, N_FFT, HOP, window=window, center=False, return_complex=True)
    power = spectrum.abs() ** 2
    mel = mel_filters(n_mels, wave.device) @ power
    log = mel.clamp(min=1e-10).log10()
    at = torch.arange(log.shape[2], device=wave.device)
    peak = log.masked_fill((at >= heard[:, None])[:, None], -10.0).amax(dim=(1, 2), keepdim=True)
    scaled = (torch.maximum(log, peak - 8.0) + 4.0) / 4.0
    if pad_to is None:
        scaled = scaled * (at < frames[:, None])[:, None]
    return scaled[..., :longest].transpose(1, 2), frames


class LogMel(AbsFrontend):
    """Raw audio to Whisper log-mel features; features extracted before (stage 1, fbank) pass through.

    Args:
        n_mels: 80 for Whisper up to large-v2 and Qwen-Audio, 128 for large-v3 and Qwen2-Audio.
        round_up: count a last hop that is not whole as a frame, as Qwen2-Audio's processor does; Qwen-Audio's
            does not.

    Attributes:
        pad_to: samples; set by an encoder that wants every clip followed by silence (``encoder_conf.pad_to``).
    """

    pad_to: int | None = None

    def __init__(self, n_mels: int = 80, round_up: bool = False):
        super().__init__()
        self.n_mels, self.round_up = n_mels, round_up

    def output_size(self) -> int:
        return self.n_mels

    def num_frames(self, samples: int) -> int:
        """Frames of a clip of ``samples`` at 16 kHz."""
        return max(num_frames(samples, self.round_up), 1)

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: input (B, N) audio or (B, T, n_mels) features, input_lengths (B,) -> (B, T, n_mels), (B,).

        Raises:
            ValueError: if features have another number of channels.
        """
        if input.dim() == 3:
            if input.shape[2] != self.n_mels:
                raise ValueError(
                    f"features have {input.shape[2]} mel channels, frontend_conf.n_mels is {self.n_mels}; let the"
                    f" frontend read audio (--feats_type raw), or set n_mels: {input.shape[2]}"
                )
            return input.float(), input_lengths
        with torch.no_grad(), torch.autocast(input.device.type, enabled=False):
            return log_mel(input, input_lengths, self.n_mels, self.pad_to, self.round_up)
