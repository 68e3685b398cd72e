"""Splits without leaks: join what belongs together, choose by hash; leak.py proves that nothing is on both sides.

A sentence said under two names, or in two recordings, would stand in train and in test if the names were
split one by one. So names that share a sentence or a recording form one component, and components are split.
"""

import hashlib
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

from qwen_audio.ffmpeg import any_blocks

SPLITS = ("train", "valid", "test")


def normalise_sentence(text: str) -> str:
    """Lower case, no punctuation, single blanks: two texts that read the same aloud become equal."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = (c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)
    return " ".join("".join(kept).split())


def audio_hash(spec: str | Path) -> str:
    """SHA-1 of the audio at 16 kHz: the same for a recording in another container.

    Args:
        spec: path of an audio file, or ``file.ark:offset``.

    Raises:
        AudioError: naming what cannot be read.
    """
    digest = hashlib.sha1()
    for block in any_blocks(str(spec)):
        digest.update(block.tobytes())
    return digest.hexdigest()


def components(features: Mapping[str, Iterable[Hashable]]) -> dict[str, str]:
    """Join names that share a feature, directly or through others.

    Args:
        features: what each name has: its normalised sentences, the hashes of its recordings.

    Returns:
        name -> its component, which is called after its first name in sorted order.
    """
    parent: dict[str, str] = {name: name for name in features}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[Hashable, str] = {}
    for name in sorted(features):
        for feature in features[name]:
            a, b = sorted((root(first.setdefault(feature, name)), root(name)))
            parent[b] = a
    return {name: root(name) for name in features}


def split_components(names: Iterable[str], *, test: float, valid: float) -> dict[str, str]:
    """Component -> ``train``, ``valid`` or ``test``: their order by hash is cut at the shares.

    Args:
        test, valid: shares between 0 and 1; from three components on each gets one at least, below that
            all are for training.
    """
    order = sorted(set(names), key=lambda name: hashlib.sha1(name.encode()).digest())
    enough = len(order) >= len(SPLITS)
    tests = max(1, round(test * len(order))) if enough else 0
    valids = max(1, round(valid * len(order))) if enough else 0
    split = ["test"] * tests + ["valid"] * valids + ["train"] * len(order)
    return dict(zip(order, split, strict=False))
