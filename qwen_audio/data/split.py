"""Splits without leaks: join what belongs together, choose by hash, prove that nothing is on both sides.

A sentence said under two names, or in two recordings, would stand in train and in test if the names were
split one by one. So names that share a sentence or a recording form one component, and components are split.
"""

import hashlib
import json
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

from qwen_audio.audio import AudioError, num_samples, read_audio
from qwen_audio.data.kaldi_dir import read_table

SPLITS = ("train", "valid", "test")
SENTENCE_TASKS = ("asr", "s2tt")
NAMED = 5  # offenders named in an error


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
    return hashlib.sha1(read_audio(str(spec)).tobytes()).hexdigest()


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


def check_leak(train_dirs: Iterable[Path], held_out_dirs: Iterable[Path]) -> dict[str, int]:
    """Prove that no recording and no sentence of valid or test stands in train.

    Sentences are those of ``text`` and of the asr and s2tt rows of ``examples.jsonl``, normalised, whatever
    their language. Recordings are compared by content: only those of equal length are decoded.

    Args:
        train_dirs, held_out_dirs: data directories.

    Returns:
        how many recordings and sentences were compared on each side.

    Raises:
        ValueError: naming what stands on both sides.
    """
    train_dirs, held_out_dirs = list(train_dirs), list(held_out_dirs)
    kept, held = _lengths(train_dirs), _lengths(held_out_dirs)
    known = _hashes(held, set(kept.values()))
    hashes = _hashes(kept, {held[spec] for spec in known.values()})
    _refuse("recording", [f"{known[h]} = {hashes[h]}" for h in sorted(known.keys() & hashes.keys())])
    said, asked = sentences_of(train_dirs), sentences_of(held_out_dirs)
    _refuse("sentence", [f"{asked[s]} = {said[s]} ({s!r})" for s in sorted(said.keys() & asked.keys())])
    return {
        "train_recordings": len(kept),
        "held_out_recordings": len(held),
        "unreadable_recordings": sum(length < 0 for lengths in (kept, held) for length in lengths.values()),
        "train_sentences": len(said),
        "held_out_sentences": len(asked),
    }


def _refuse(kind: str, shared: list[str]) -> None:
    if shared:
        more = f" and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
        raise ValueError(
            f"{len(shared)} {kind}(s) of valid or test stand in train: {'; '.join(shared[:NAMED])}{more}; "
            "keep each on one side only"
        )


def _lengths(directories: Iterable[Path]) -> dict[str, int]:
    """Recording -> samples at 16 kHz, from headers; -1 for what cannot be read, which preparation rejects."""
    lengths = {}
    for directory in directories:
        for _, (_, spec) in read_table(Path(directory) / "wav.scp"):
            try:
                lengths[spec] = num_samples(spec)
            except AudioError:
                lengths[spec] = -1
    return lengths


def _hashes(lengths: dict[str, int], wanted: set[int]) -> dict[str, str]:
    """Hash -> recording, of those that have one of the wanted lengths."""
    hashes = {}
    for spec in sorted(spec for spec, length in lengths.items() if length >= 0 and length in wanted):
        try:
            hashes[audio_hash(spec)] = spec
        except AudioError:
            lengths[spec] = -1
    return hashes


def sentences_of(directories: Iterable[Path]) -> dict[str, str]:
    """Normalised sentence -> a place where it stands (``SET utt``), for all texts and translations."""
    found: dict[str, str] = {}
    for directory in map(Path, directories):
        texts = []
        if (directory / "text").exists():
            texts += [(utt, text) for utt, (_, text) in read_table(directory / "text")]
        if (directory / "examples.jsonl").exists():
            rows = map(json.loads, (directory / "examples.jsonl").read_text(encoding="utf-8").splitlines())
            texts += [(row["utt"], row["text"]) for row in rows if row["task"] in SENTENCE_TASKS]
        for utt, text in texts:
            found.setdefault(normalise_sentence(text), f"{directory.name} {utt}")
    found.pop("", None)
    return found
