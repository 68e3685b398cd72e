"""Pieces of recorded speech put at known times: word boundaries that are exact because they were made.

A piece is trimmed of the silence around it and set down on whole steps of 10 ms, the grid of the time
tokens. Under all of it lies a faint noise: digital silence would give every boundary away.
"""

import hashlib
import random
from pathlib import Path

import numpy as np
import soundfile

from qwen_audio.audio import SAMPLE_RATE as RATE
from qwen_audio.audio import to_int16

STEP = RATE // 100  # samples of 10 ms
SILENT_DB = -35.0  # a step is silence where its level is that far below the loudest step
LEVEL = 0.06  # root mean square of every piece, full scale being 1
FADE = 80  # samples, 5 ms, at both ends of a piece: no click, and still inside its own 10 ms
NOISE = 0.0005  # standard deviation of the noise under a clip: -66 dB of full scale

Placed = tuple[Path, list[list]]  # recording, [[start_s, end_s, word], ...]


def trim(wave: np.ndarray) -> np.ndarray:
    """The part of ``wave`` from its first to its last step that is no silence, at the common level, faded.

    Shapes: (N,) float in ±1 at 16 kHz -> (n * 160,), empty where there is nothing but silence.
    """
    steps = wave[: len(wave) // STEP * STEP].reshape(-1, STEP).astype(np.float64)
    levels = np.sqrt((steps**2).mean(1))
    if not levels.any():
        return np.zeros(0)
    (loud,) = np.nonzero(levels > levels.max() * 10 ** (SILENT_DB / 20))
    piece = steps[loud[0] : loud[-1] + 1].ravel()
    piece = piece * (LEVEL / np.sqrt((piece**2).mean()))
    ramp = (np.arange(FADE) + 0.5) / FADE
    piece[:FADE] *= ramp
    piece[-FADE:] *= ramp[::-1]
    return piece


def place(pieces: list[tuple[np.ndarray, str]], pauses: list[int], folder: Path, seed: int = 0) -> Placed:
    """Write the pieces one after another into a WAV file named by its content.

    Args:
        pieces: (wave of whole steps, its word).
        pauses: steps of 10 ms before each piece, and after the last: one more than there are pieces.
        seed: of the noise.

    Returns:
        The file, and the words with the times where their pieces stand.
    """
    parts, words, now = [], [], 0
    for (wave, word), pause in zip(pieces, pauses, strict=False):
        start, length = now + pause, len(wave) // STEP
        parts += [np.zeros(pause * STEP), wave]
        words.append([start / 100, (start + length) / 100, word])
        now = start + length
    audio = np.concatenate([*parts, np.zeros(pauses[len(pieces)] * STEP)])
    return write_clip(audio, folder, seed), words


def write_clip(wave: np.ndarray, folder: Path, seed: int) -> Path:
    """Write a wave (N,) in ±1 over the faint noise into a file named by its content; returns the file."""
    noise = np.random.default_rng(seed).normal(0, NOISE, len(wave))
    samples = to_int16(wave + noise)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{hashlib.sha1(samples.tobytes()).hexdigest()[:16]}.wav"
    if not target.exists():
        soundfile.write(target.with_suffix(".part"), samples, RATE, subtype="PCM_16", format="WAV")
        target.with_suffix(".part").replace(target)
    return target


def draw_pauses(draw: random.Random, count: int, least: int, most: int) -> list[int]:
    """Pauses for ``count`` pieces, in steps: anything between the two, also before the first, after the last."""
    return [draw.randint(least, most) for _ in range(count + 1)]
