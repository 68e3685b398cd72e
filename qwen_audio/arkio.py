"""Kaldi ark files: the one module that reads and writes them.

kaldiio comes first because ESPnet recipes are written for it. Its licence allows evaluation only (NTT's
evaluation licence), so where it is not installed omniio, MIT-licensed and with the same functions, takes its
place: ``pip uninstall kaldiio`` is all it takes. Files of either are read by the other.
"""

import io
import re
from pathlib import Path

import numpy as np

try:
    import kaldiio as kaldi
except ImportError:
    from omniio import kaldi

from qwen_audio.riff import read_riff_header

COMPRESSION = 2  # Kaldi's kSpeechFeature: one byte a value, scaled per column by four percentiles
SHARD_BYTES = 2 << 30  # an ark is closed and the next one begun above this size
AUDIO_MAGIC = (b"RIFF", b"AUDI")
MATRIX_MAGIC = b"\0B"
_SPEC = re.compile(r"(.+):(\d+)")


def split_spec(spec: str) -> tuple[str, int] | None:
    """``file.ark:offset`` -> (file, byte offset); None for anything else, a path of an audio file for one."""
    match = _SPEC.fullmatch(spec)
    return (match[1], int(match[2])) if match else None


def read_matrix(spec: str) -> np.ndarray:
    """Features at ``file.ark:offset``: (T, F) float32.

    Raises:
        ValueError: if there is no file, or no matrix at the offset.
    """
    return np.asarray(_load(spec, (MATRIX_MAGIC,), "matrix"), dtype=np.float32)


def read_wave(spec: str) -> tuple[int, np.ndarray]:
    """Audio at ``file.ark:offset``: rate in Hz, (N,) or (N, channels) as stored, mostly int16.

    Raises:
        ValueError: if there is no file, no audio at the offset, or the audio is cut off.
    """
    wave_header(spec)
    return _load(spec, AUDIO_MAGIC, "audio")


def wave_header(spec: str) -> tuple[int, int, int]:
    """Rate in Hz, channels and samples per channel of audio at ``file.ark:offset``, without its samples.

    Raises:
        ValueError: as read_wave.
    """
    path, offset = _parse(spec)
    with _open(path, spec) as stream:
        stream.seek(offset)
        if stream.read(4) == b"RIFF":
            stream.seek(offset)
            try:
                header = read_riff_header(stream)
            except ValueError as error:
                raise ValueError(f"unreadable audio: {spec}: {error}; copy the ark anew") from None
            if header.missing_bytes:
                lack = f"{spec} lacks {header.missing_bytes} bytes"
                raise ValueError(f"truncated audio: {lack}; copy the ark anew")
            if header.frames is not None:
                return header.rate, header.channels, header.frames
    rate, samples = _load(spec, AUDIO_MAGIC, "audio")
    return rate, 1 if samples.ndim == 1 else samples.shape[1], len(samples)


def is_wave(spec: str) -> bool:
    """True where a plain wave (RIFF, as Kaldi has it) stands at ``file.ark:offset``."""
    path, offset = _parse(spec)
    with _open(path, spec) as stream:
        stream.seek(offset)
        return stream.read(4) == b"RIFF"


def wave_record(utt: str, rate: int, samples: np.ndarray) -> bytes:
    """One entry of a wav.ark: samples (N,) int16."""
    return _record(utt, (rate, samples), None)


def matrix_record(utt: str, features: np.ndarray) -> bytes:
    """One entry of a feature ark: features (T, F), compressed to one byte a value."""
    return _record(utt, features, COMPRESSION)


class ArkWriter:
    """Append records to ``folder/NAME.0.ark``, ``NAME.1.ark``, ...; close() or `with` ends it.

    Args:
        folder: where the files are written.
        name: first part of the file names.
        shard_bytes: size above which the next file is begun.
    """

    def __init__(self, folder: Path, name: str, shard_bytes: int = SHARD_BYTES):
        self.folder, self.name, self.shard_bytes = Path(folder), name, shard_bytes
        self.shard, self.stream = -1, None

    def append(self, utt: str, record: bytes) -> str:
        """Write a record of ``utt``; returns its ``FILE:OFFSET``, FILE without the folder."""
        if self.stream is None or self.stream.tell() > self.shard_bytes:
            self.close()
            self.shard += 1
            self.stream = open(self.folder / f"{self.name}.{self.shard}.ark", "wb")
        offset = self.stream.tell() + len(utt.encode()) + 1
        self.stream.write(record)
        return f"{self.name}.{self.shard}.ark:{offset}"

    def close(self) -> None:
        if self.stream is not None:
            stream, self.stream = self.stream, None
            stream.close()

    def __enter__(self) -> "ArkWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _parse(spec: str) -> tuple[str, int]:
    parts = split_spec(spec)
    if parts is None:
        raise ValueError(f"{spec!r} names no place in an ark; write file.ark:byte_offset")
    return parts


def _open(path: str, spec: str) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise ValueError(f"missing file: {path} (of {spec}); correct the path") from None


def _load(spec: str, magics: tuple[bytes, ...], kind: str):
    """The object at ``spec``. Its first bytes are checked before: the library unpickles what is marked so."""
    path, offset = _parse(spec)
    with _open(path, spec) as stream:
        stream.seek(offset)
        if not stream.read(4).startswith(magics):
            raise ValueError(f"unreadable {kind}: no {kind} stands at {spec}; write ark and scp anew")
        try:
            return kaldi.load_mat(spec, fd_dict={path: stream})
        except Exception as error:  # damaged bytes raise whatever they meet in the library
            raise ValueError(f"unreadable {kind}: {spec}: {error or type(error).__name__}") from None


def _record(utt: str, value, compression: int | None) -> bytes:
    stream = io.BytesIO()
    kaldi.save_ark(stream, {utt: value}, compression_method=compression)
    return stream.getvalue()
