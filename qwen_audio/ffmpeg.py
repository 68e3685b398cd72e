"""Audio that libsndfile cannot read (m4a, aac, wma, the sound of a video), decoded by the program ffmpeg."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing

import numpy as np

from qwen_audio.audio import SAMPLE_RATE, AudioError, num_samples, read_blocks, read_header, read_start

BLOCK_BYTES = 1 << 20

# Containers that hold their own sound. Playlists (dash, hls, concat …) name other files, which ffmpeg would open.
# What a build of ffmpeg lacks may be listed; of mov, references to other files are off by default.
CONTAINERS = (
    "mov,matroska,aac,mp3,ogg,asf,flv,avi,mpeg,mpegts,wav,w64,amr,ac3,eac3,caf,aiff,au,flac,ape,tta,wv"
)


def ffmpeg_blocks(path: str) -> Iterator[np.ndarray]:
    """The first sound track of a file in pieces: (N,) float32 in ±1, mono, at 16 kHz.

    Its samples come as 16-bit integers: only of these ffmpeg takes a mean of channels that stays in ±1. No other
    file is opened, whatever this one names.

    Raises:
        AudioError: if there is no ffmpeg on the PATH, or with what ffmpeg says.
    """
    if not shutil.which("ffmpeg"):
        mend = "install ffmpeg (or tools/fetch_debs.sh --programs ffmpeg), or convert the file to flac"
        raise AudioError(f"unreadable audio: {path}: libsndfile does not know its format; {mend}")
    allowed = ["-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS]
    source = [*allowed, "-i", f"file:{path}", "-map", "0:a:0"]
    wanted = ["-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "-"]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-xerror", *source, *wanted]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        try:
            while block := process.stdout.read(BLOCK_BYTES):
                yield np.frombuffer(block, "<i2").astype(np.float32) / 32768
        finally:
            process.stdout.close()  # ffmpeg ends, should nobody want the rest
        if process.wait():
            said.seek(0)
            fault = said.read().decode(errors="replace").strip().splitlines()
            reason = (fault or ["it gave no reason"])[-1]
            if any("whitelist" in line for line in fault):
                reason = f"a playlist, or a container other than {CONTAINERS}; convert it to flac"
            raise AudioError(f"unreadable audio: {path}: ffmpeg: {reason}")


def any_blocks(path: str) -> Iterator[np.ndarray]:
    """Audio of any file in pieces, (N,) float32 in ±1, mono, at 16 kHz: by ffmpeg where libsndfile cannot read it.

    Raises:
        AudioError: as read_blocks and ffmpeg_blocks.
    """
    yield from (ffmpeg_blocks if _foreign(path) else read_blocks)(path)


def any_audio(path: str) -> np.ndarray:
    """The wave of any_blocks in one piece, (N,). Raises: as any_blocks."""
    return np.concatenate([np.zeros(0, np.float32), *any_blocks(path)])


def any_num_samples(path: str) -> int:
    """Length of any_audio: as num_samples, of a file that ffmpeg reads by decoding it. Raises: as any_blocks."""
    try:
        return num_samples(path)
    except AudioError:
        if not _foreign(path):
            raise
    return sum(map(len, ffmpeg_blocks(path)))


def any_start(path: str, frames: int = 4096) -> np.ndarray:
    """As read_start; of a file that ffmpeg reads the samples are at 16 kHz. Raises: as any_blocks."""
    try:
        return read_start(path, frames)
    except AudioError:
        if not _foreign(path):
            raise
    with closing(ffmpeg_blocks(path)) as blocks:
        return next(blocks, np.zeros(0, np.float32))[:frames]


def _foreign(path: str) -> bool:
    """Whether it is a file whose header libsndfile cannot read."""
    try:
        read_header(path)
    except AudioError:
        return os.path.isfile(path)
    return False
