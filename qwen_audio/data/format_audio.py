"""One recording in, its utterances out: decode once, cut the segments, check the lengths, encode."""

import io
import os
from dataclasses import dataclass

import numpy as np
import soundfile

from qwen_audio import arkio
from qwen_audio.audio import SAMPLE_RATE, AudioError, is_command, read_header, to_int16
from qwen_audio.data.command import command_audio
from qwen_audio.ffmpeg import any_audio

OVERSHOOT_SECONDS = 0.1  # segment times are rounded: an end this far behind the recording's is its end


@dataclass(frozen=True)
class Recording:
    """``audio``: path, ``file.ark:offset`` or command; ``cuts``: (utt, start_s, end_s), times None for all of it."""

    audio: str
    cuts: tuple[tuple[str, float | None, float | None], ...]


@dataclass(frozen=True)
class AudioFormat:
    """What to write: feats_type raw or fbank, audio_format flac or wav.ark, lengths to keep in seconds.

    ``cut_longer``: of a longer utterance the first max_seconds are kept; else it is rejected.
    """

    feats_type: str
    audio_format: str
    min_seconds: float
    max_seconds: float
    cut_longer: bool = False


@dataclass(frozen=True)
class Formatted:
    """One utterance: ``record`` are the bytes to write, or ``original`` is where they already stand.

    ``samples`` is the length at 16 kHz; ``reason`` says why the utterance is rejected, empty if it is not;
    ``cut`` says what was cut off, empty if nothing was.
    """

    utt: str
    samples: int = 0
    record: bytes = b""
    original: str = ""
    reason: str = ""
    cut: str = ""


def format_recording(recording: Recording, target: AudioFormat) -> list[Formatted]:
    """All utterances of a recording, which is decoded once, even if only to see that it is whole."""
    try:
        wave = (command_audio if is_command(recording.audio) else any_audio)(recording.audio)
        original = _original(recording, target)
    except AudioError as error:
        return [Formatted(utt, reason=str(error)) for utt, _, _ in recording.cuts]
    return [_format(utt, wave, start, end, original, target) for utt, start, end in recording.cuts]


def _format(utt: str, wave: np.ndarray, start, end, original: str, target: AudioFormat) -> Formatted:
    if start is not None:
        seconds = len(wave) / SAMPLE_RATE
        if max(start, end) > seconds + OVERSHOOT_SECONDS:
            return Formatted(utt, reason=f"segment past the end: {start} to {end} s of {seconds:.3f} s")
        stop = len(wave) if end == -1 else round(end * SAMPLE_RATE)
        wave = wave[round(start * SAMPLE_RATE) : stop]
    seconds, cut = len(wave) / SAMPLE_RATE, ""
    if len(wave) == 0:
        return Formatted(utt, reason="zero length: no sample")
    if seconds < target.min_seconds:
        return Formatted(utt, reason=f"too short: {seconds:.3f} s")
    if seconds > target.max_seconds:
        if not target.cut_longer:
            return Formatted(utt, reason=f"too long: {seconds:.3f} s")
        wave = wave[: round(target.max_seconds * SAMPLE_RATE)]
        original, cut = "", f"cut to {target.max_seconds:g} s: {seconds:.3f} s"
    if original:
        return Formatted(utt, len(wave), original=original)
    return Formatted(utt, len(wave), record=_encode(utt, wave, target), cut=cut)


def _encode(utt: str, wave: np.ndarray, target: AudioFormat) -> bytes:
    if target.feats_type == "fbank":
        return arkio.matrix_record(utt, fbank(wave))
    if target.audio_format == "wav.ark":
        return arkio.wave_record(utt, SAMPLE_RATE, to_int16(wave))
    stream = io.BytesIO()
    soundfile.write(stream, to_int16(wave), SAMPLE_RATE, format="FLAC")
    return stream.getvalue()


def fbank(wave: np.ndarray) -> np.ndarray:
    """Whisper's log-mel features of a clip: (N,) at 16 kHz -> (T, 80) float32."""
    import torch  # imported here: raw audio needs neither torch nor the seconds it takes to load

    from qwen_audio.frontend.log_mel import log_mel

    with torch.no_grad():
        features, frames = log_mel(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    return features[0, : frames[0]].numpy()


def _original(recording: Recording, target: AudioFormat) -> str:
    """The place of audio that is already as it would be written; empty if there is work to do."""
    if target.feats_type != "raw" or any(start is not None for _, start, _ in recording.cuts):
        return ""
    try:
        header = read_header(recording.audio)
    except AudioError:  # ffmpeg read it
        return ""
    if header.rate != SAMPLE_RATE or header.channels != 1 or header.frames is None:
        return ""
    if target.audio_format == "flac":
        same = header.format == "FLAC"
    else:
        same = header.format == "ARK" and arkio.is_wave(recording.audio)
    return os.path.abspath(recording.audio) if same else ""
