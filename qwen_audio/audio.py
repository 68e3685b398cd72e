"""Audio constants, and reading audio of any file as float32 in ±1, mono, at 16 kHz."""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from qwen_audio import arkio, mp3
from qwen_audio.riff import read_riff_header

SAMPLE_RATE = 16000  # Hz; everything behind read_audio has this rate
WINDOW_SECONDS = 0.025  # Whisper's analysis window and hop (arXiv:2212.04356, section 2.2)
HOP_SECONDS = 0.010
N_FFT = round(WINDOW_SECONDS * SAMPLE_RATE)  # 400 samples
HOP = round(HOP_SECONDS * SAMPLE_RATE)  # 160 samples
N_MELS = 80
LOUDEST = 1e6  # samples beyond are a fault; float files in the unit of 16-bit integers lie below

BLOCK_FRAMES = 1 << 20  # a long recording is decoded, mixed down and resampled in blocks of this size ...
BLOCK_SECONDS = 240  # ... and of no more seconds: at a low rate few frames become many
UNSTATED = 1 << 62  # frames; libsndfile gives 2 ** 63 - 1 for a flac that does not say how many it has


class AudioError(ValueError):
    """Audio that cannot be used; the message begins with the kind of fault and a colon."""


@dataclass(frozen=True)
class AudioHeader:
    """What the header says: ``frames`` per channel at ``rate`` Hz; ``format`` as soundfile has it, or ARK.

    ``frames`` is None where the writer did not know it: of a flac written into a pipe.
    """

    rate: int
    channels: int
    frames: int | None
    format: str


def read_audio(spec: str) -> np.ndarray:
    """Audio of a file (wav, flac, ogg, mp3 and what else libsndfile reads) or of ``file.ark:offset``.

    Channels are averaged; another rate is resampled by soxr. Integers are scaled to ±1.

    Returns:
        (N,) float32 in ±1 at 16 kHz; N equals ``num_samples(spec)``.

    Raises:
        AudioError: "missing file", "unreadable audio", "truncated audio" or "pipe", and what to do.
    """
    blocks = list(read_blocks(spec))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def read_blocks(spec: str) -> Iterator[np.ndarray]:
    """The wave of read_audio in pieces, in order: memory does not grow with a file's length.

    Audio of an ark comes whole. Raises: as read_audio; "truncated audio" where it ends.
    """
    _refuse_pipe(spec)
    if arkio.split_spec(spec):
        yield _read_ark(spec)
        return
    with _open(spec) as sound:
        _check_complete(spec, sound.format)
        try:
            frames = yield from _decode(spec, sound)
        except soundfile.SoundFileRuntimeError as error:
            raise AudioError(f"unreadable audio: {spec}: {error} If it is cut off, copy it anew") from None
        if sound.frames < UNSTATED and frames < sound.frames * (mp3.SLACK if sound.format == "MP3" else 1):
            raise AudioError(f"truncated audio: {spec} has {frames} of {sound.frames} samples; copy it anew")


def read_start(spec: str, frames: int) -> np.ndarray:
    """The first ``frames`` at most, (N,) float32, mono at the file's own rate: to tell recordings apart cheaply.

    Raises: as read_audio; a file that is cut off later is not noticed.
    """
    _refuse_pipe(spec)
    if arkio.split_spec(spec):
        return _read_ark(spec)[:frames]
    with _open(spec) as sound:
        try:
            return _mix_down(sound.read(frames, dtype="float32", always_2d=True))
        except soundfile.SoundFileRuntimeError as error:
            raise AudioError(f"unreadable audio: {spec}: {error} If it is cut off, copy it anew") from None


def read_header(spec: str) -> AudioHeader:
    """Header of the audio; no sample is decoded. Raises: as read_audio, where the header shows it."""
    _refuse_pipe(spec)
    if arkio.split_spec(spec):
        try:
            return AudioHeader(*arkio.wave_header(spec), "ARK")
        except ValueError as error:
            raise AudioError(str(error)) from None
    with _open(spec) as sound:
        frames = sound.frames if sound.frames < UNSTATED else None
        return AudioHeader(sound.samplerate, sound.channels, frames, sound.format)


def num_samples(spec: str) -> int:
    """Length at 16 kHz, from the header, or by decoding where that does not say it. Raises: as read_audio."""
    header = read_header(spec)
    if header.frames is None:
        return sum(map(len, read_blocks(spec)))
    return (2 * header.frames * SAMPLE_RATE + header.rate) // (2 * header.rate)  # soxr rounds half up


def file_state(spec: str) -> tuple[int, int]:
    """Size in bytes and time of change in ns of the file that an audio stands in, to tell whether it is the same."""
    found = arkio.split_spec(spec)
    state = os.stat(found[0] if found else spec)
    return state.st_size, state.st_mtime_ns


def to_int16(wave: np.ndarray) -> np.ndarray:
    """(N,) float in ±1 -> (N,) int16, clipped: what flac files and arks hold."""
    return np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)


def is_command(spec: str) -> bool:
    """Whether it is a command that writes audio, as wav.scp may hold: ``flac -c -d x.flac |``. None is run here."""
    return spec.rstrip().endswith("|")


def _refuse_pipe(spec: str) -> None:
    if is_command(spec):
        mend = "which only `qwen-audio prepare` and `align` run; name a file here"
        raise AudioError(f"pipe: {spec!r} is a command, {mend}")


def _open(path: str) -> soundfile.SoundFile:
    if not os.path.isfile(path):
        raise AudioError(f"missing file: {path}; correct the path (a relative one counts from {os.getcwd()})")
    try:
        sound = soundfile.SoundFile(path)
        if sound.format == "MP3" and (counted := mp3.counted(path)):
            sound.close()
            sound = soundfile.SoundFile(counted)
        if sound.frames >= UNSTATED:
            sound.close()
            sound = _Unseekable(path)
        return sound
    except (soundfile.SoundFileRuntimeError, TypeError) as error:  # TypeError: headerless, by its name
        raise AudioError(f"unreadable audio: {path}: {error}") from None


class _Unseekable(soundfile.SoundFile):
    """A file to read on to its end: soundfile seeks after each read, which fails where the length is not known."""

    def seekable(self) -> bool:
        return False


def _check_complete(path: str, format: str) -> None:
    """libsndfile reads a cut-off wave file as a shorter one; the other formats show it when decoded."""
    if format not in ("WAV", "WAVEX"):
        return
    with open(path, "rb") as stream:
        if stream.read(4) != b"RIFF":
            return
        stream.seek(0)
        try:
            missing = read_riff_header(stream).missing_bytes
        except ValueError as error:
            raise AudioError(f"unreadable audio: {path}: {error}; write it anew") from None
    if missing:
        raise AudioError(f"truncated audio: {path} lacks {missing} bytes; copy it anew")


def _decode(spec: str, sound: soundfile.SoundFile) -> Generator[np.ndarray, None, int]:
    """Yields the mono wave at 16 kHz; returns the number of frames decoded at the file's rate. Raises: as _check."""
    resampler = None
    if sound.samplerate != SAMPLE_RATE:
        resampler = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, 1, dtype="float32")
    frames, size = 0, min(BLOCK_FRAMES, BLOCK_SECONDS * sound.samplerate)
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        frames += len(block)
        _check(block, spec)
        mono = _mix_down(block)
        yield resampler.resample_chunk(mono) if resampler else mono
    if resampler:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
    return frames


def _read_ark(spec: str) -> np.ndarray:
    try:
        rate, samples = arkio.read_wave(spec)
    except ValueError as error:
        raise AudioError(str(error)) from None
    return as_wave(samples, rate)


def as_wave(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples (N,) or (N, channels), of any rate and type, as ``read_audio`` gives them.

    Raises:
        AudioError: "unreadable audio", if the array has another shape, holds what is no sound, or the rate is none.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.ndim == 2 and samples.shape[1] > max(samples.shape[0], 1):
        raise AudioError(f"unreadable audio: an array of shape {samples.shape}; write (N,) or (N, channels)")
    if samples.dtype.kind not in "iuf":
        raise AudioError(f"unreadable audio: an array of {samples.dtype}; write numbers")
    if samples.dtype.kind == "f":
        _check(samples, f"an array of {samples.dtype}")
    if rate <= 0:
        raise AudioError(f"unreadable audio: a rate of {rate}; write samples per second")
    if samples.dtype == np.uint8:  # 8-bit wave is unsigned, with silence at 128
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    wave = _mix_down(samples if samples.ndim == 2 else samples[:, None])
    return wave if rate == SAMPLE_RATE else soxr.resample(wave, rate, SAMPLE_RATE)


def _check(samples: np.ndarray, name: str) -> None:
    """Raises: AudioError, with the ``name`` of what holds them, if samples are no numbers, or beyond LOUDEST."""
    if not np.abs(samples).max(initial=0) <= LOUDEST:  # nor is NaN
        fault = f"holds samples that are no numbers, or beyond ±{LOUDEST:,.0f}"
        raise AudioError(f"unreadable audio: {name} {fault}; write it anew, in ±1")


def _mix_down(block: np.ndarray) -> np.ndarray:
    """(N, channels) -> (N,)"""
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
