"""Keyed pseudo-random permutations in O(1) memory: the shuffling of a corpus of any size."""

import hashlib

import numpy as np

ROUNDS = 4


def key(*parts: int | str) -> int:
    """64-bit number that is the same for the same ``parts`` on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest())


def permute(index: np.ndarray, n: int, key: int) -> np.ndarray:
    """Images of ``index`` (any shape, values in 0..n-1) under the permutation of 0..n-1 that ``key`` names.

    A few rounds of multiply, add and xor-shift permute the next power of two; images outside 0..n-1 are
    mapped again until they fall inside (cycle walking: fewer than two rounds on average).
    """
    bits = max(2, (n - 1).bit_length())
    constants = _splitmix(np.uint64(key) + np.arange(2 * ROUNDS, dtype=np.uint64))
    image = _round(index.astype(np.uint64), bits, constants)
    while (outside := image >= n).any():
        image[outside] = _round(image[outside], bits, constants)
    return image.astype(np.int64)


def choose(index: np.ndarray, n: int, key: int) -> np.ndarray:
    """An independent uniform number in 0..n-1 for every element of ``index``."""
    return (_splitmix(index.astype(np.uint64) ^ np.uint64(key)) % np.uint64(n)).astype(np.int64)


def _round(x: np.ndarray, bits: int, constants: np.ndarray) -> np.ndarray:
    mask, shift = np.uint64((1 << bits) - 1), np.uint64(bits // 2)
    for factor, offset in constants.reshape(ROUNDS, 2):
        x = (x * (factor | np.uint64(1)) + offset) & mask  # odd factor: invertible modulo a power of two
        x = x ^ (x >> shift)
    return x


def _splitmix(x: np.ndarray) -> np.ndarray:
    """Mix 64-bit numbers (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators")."""
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
