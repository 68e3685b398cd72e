"""Prove that nothing of valid or test stands in train: no recording, and no sentence.

A corpus may have 300,000 clips of one length (NSynth), so recordings are compared in steps, each for those alone
that are alike so far: length, then the first samples, then all of them. The header tells the length, but where
ffmpeg has to read a file: such a one is decoded for it, and again if it is alike. Held in memory are the names, and
of one side a number a clip; never audio, but for two clips of the same id.
"""

import hashlib
from collections.abc import Callable, Collection, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path

import numpy as np

from qwen_audio.audio import SAMPLE_RATE, AudioError, is_command
from qwen_audio.data.kaldi_dir import read_examples, read_table
from qwen_audio.data.split import audio_hash, normalise_sentence
from qwen_audio.ffmpeg import any_audio, any_num_samples, any_start
from qwen_audio.progress import progress
from qwen_audio.task_spec import load_tasks

Recordings = tuple[dict[str, str], dict[str, str]]  # id -> recording; id -> speaker, for those that have one

NAMED = 5  # offenders named in an error
_ALIKE = 0.9  # correlation of two waves of one recording: coded anew, louder, with a little noise
_CODED = SAMPLE_RATE // 5  # samples that a codec may add or drop
_AT_ONCE = 16  # files open at once: on a network's disk each is waited for
_MANY = 1000  # recordings from which on it is told how far the comparison is
_HEARD = 30 * SAMPLE_RATE  # samples compared of two recordings of the same id


def check_leak(
    train_dirs: Iterable[Path], held_out_dirs: Iterable[Path], may_share_sentences: bool = False
) -> dict[str, int]:
    """Prove that no recording and no sentence of valid or test stands in train.

    Recordings are compared by content, whatever the container, and by id without the speaker's name: where two
    ids are equal, their waves are compared, so a copy coded anew is found. Equal ids of other audio are told, they
    are no error: many corpora count within a set. A command of wav.scp is not run for this: what the same command
    writes is the same recording, and no more is compared of it. Sentences are those of ``text`` and of the rows of
    ``examples.jsonl`` that transcribe or translate, normalised, whatever their language.

    Args:
        train_dirs, held_out_dirs: data directories.
        may_share_sentences: tell the sentences of both sides on one line instead: in talk that was recorded as it
            went, a "yeah" stands everywhere.

    Returns:
        how many recordings and sentences were compared on each side.

    Raises:
        ValueError: naming what stands on both sides.
    """
    train_dirs, held_out_dirs = list(map(Path, train_dirs)), list(map(Path, held_out_dirs))
    kept, held = (by_short_id(map(recordings_in, dirs)) for dirs in (train_dirs, held_out_dirs))
    pairs, unreadable = shared_recordings(held, kept)
    _refuse("recording", [f"{spec} = {pairs[spec]}" for spec in sorted(pairs)])
    if others := sorted(held.keys() & kept.keys()):
        written = any(is_command(side[name]) for side in (held, kept) for name in others)
        what = "other audio, or another command" if written else "other audio"
        print(f"note: the same id on both sides, but {what}: {_some(others, ', ')}")
    said, asked = sentences_of(train_dirs), sentences_of(held_out_dirs)
    shared = [f"{asked[s]} = {said[s]} ({s!r})" for s in sorted(said.keys() & asked.keys())]
    if not may_share_sentences:
        _refuse("sentence", shared)
    elif shared:
        print(
            f"warning: {len(shared)} of {len(asked)} sentences of valid and test stand in train as well:"
            f" {_some(shared, '; ')}"
        )
    return {
        "train_recordings": len(set(kept.values())),
        "held_out_recordings": len(set(held.values())),
        "unreadable_recordings": unreadable,
        "recordings_by_name_alone": sum(map(is_command, {*kept.values(), *held.values()})),
        "train_sentences": len(said),
        "held_out_sentences": len(asked),
    }


def shared_recordings(ours: dict[str, str], theirs: dict[str, str]) -> tuple[dict[str, str], int]:
    """Which recordings stand on both sides, as ``check_leak`` compares them.

    Args:
        ours, theirs: recordings by id, as ``by_short_id`` gives them.

    Returns:
        each of ``ours`` that is there -> the one of ``theirs`` it equals; how many could not be read.
    """
    unreadable: set[str] = set()
    if not (ours and theirs):  # a test set alone: nothing is read
        return {}, 0
    same = [{spec: spec for spec in side.values() if not is_command(spec)} for side in (ours, theirs)]
    for key, what in ((any_num_samples, "lengths"), (_start, "beginnings"), (audio_hash, "contents")):
        same = _on_both_sides(*same, key, what, unreadable)
    known = {found: spec for spec, found in same[1].items()}
    pairs = {spec: known[found] for spec, found in same[0].items()}
    written = set(filter(is_command, theirs.values()))
    pairs |= {spec: spec for spec in ours.values() if spec in written}
    twins = {ours[name]: theirs[name] for name in ours.keys() & theirs.keys() if ours[name] not in pairs}
    pairs |= {one: other for one, other in twins.items() if _one_recording(one, other)}
    return pairs, len(unreadable)


def recordings_in(directory: Path) -> Recordings:
    """What wav.scp of a data directory names; speakers where an utterance is a whole recording."""
    speakers = {}
    if (directory / "utt2spk").exists() and not (directory / "segments").exists():
        speakers = {utt: speaker for utt, (_, speaker) in read_table(directory / "utt2spk")}
    return {name: spec for name, (_, spec) in read_table(directory / "wav.scp")}, speakers


def by_short_id(sets: Iterable[Recordings]) -> dict[str, str]:
    """Id -> recording, of all sets. The speaker's name is taken off an id that begins with it.

    Where it is all that tells two ids of a set apart, as where each speaker counts from 1, it stays. Of several
    recordings with one id the first keeps it; the others get their path behind it.
    """
    found: dict[str, str] = {}
    for specs, speakers in sets:
        short = {name: name.removeprefix(speakers.get(name, "")).strip("-_.") or name for name in specs}
        own = len(set(short.values())) == len(short)
        for name, spec in specs.items():
            name = short[name] if own else name
            found[name if found.get(name, spec) == spec else f"{name} {spec}"] = spec
    return found


def _on_both_sides(
    ours: Collection[str],
    theirs: Collection[str],
    key: Callable[[str], Hashable],
    what: str,
    unreadable: set[str],
) -> tuple[dict[str, Hashable], dict[str, Hashable]]:
    """The recordings of each side whose ``key`` the other side has too, with it; ``unreadable`` grows."""
    asked = dict(_keys(theirs, key, what, unreadable))
    wanted = set(asked.values())
    found = {spec: value for spec, value in _keys(ours, key, what, unreadable) if value in wanted}
    shared = set(found.values())
    return found, {spec: value for spec, value in asked.items() if value in shared}


def _keys(specs: Collection[str], key: Callable[[str], Hashable], what: str, unreadable: set[str]):
    """Pairs of a recording and its ``key``, of those that can be read."""

    def key_of(spec: str) -> Hashable | None:
        try:
            return key(spec)
        except AudioError:
            return None

    many = len(specs) > _MANY
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for some in batched(progress(specs, len(specs), f"comparing {what}") if many else specs, _MANY):
            for spec, value in zip(some, pool.map(key_of, some), strict=True):
                if value is None:
                    unreadable.add(spec)
                else:
                    yield spec, value


def _start(spec: str) -> bytes:
    return hashlib.sha1(any_start(spec).tobytes()).digest()


def _one_recording(one: str, other: str) -> bool:
    """Whether two waves are alike but for gain, delay and coding: the peak of their cross-correlation tells."""
    try:
        if abs(any_num_samples(one) - any_num_samples(other)) > _CODED:
            return False
        a, b = (_centred(any_audio(spec)[:_HEARD]) for spec in (one, other))
    except AudioError:
        return False
    size = 1 << (len(a) + len(b)).bit_length()
    peak = np.abs(np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size).conj(), size)).max()
    return bool(peak > 0 and peak >= _ALIKE * np.linalg.norm(a) * np.linalg.norm(b))


def _centred(wave: np.ndarray) -> np.ndarray:
    return wave.astype(float) - (wave.mean() if len(wave) else 0)


def _refuse(kind: str, shared: list[str]) -> None:
    if shared:
        raise ValueError(
            f"{len(shared)} {kind}(s) of valid or test stand in train: {_some(shared, '; ')}; "
            "keep each on one side only"
        )


def _some(names: list[str], comma: str) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return comma.join(names[:NAMED]) + more


def sentences_of(directories: Iterable[Path]) -> dict[str, str]:
    """Normalised sentence -> a place where it stands (``SET utt``), for all texts, transcripts and translations.

    Raises: ValueError naming file:line, as read_table and read_examples; a text that is none is left to stage 1.
    """
    found, tasks = {}, load_tasks()
    for directory in map(Path, directories):
        texts = []
        if (directory / "text").exists():
            texts += [(utt, text) for utt, (_, text) in read_table(directory / "text")]
        if (directory / "examples.jsonl").exists():
            for utt, rows in read_examples(directory / "examples.jsonl", tasks):
                texts += [(utt, text) for _, row in rows for text in tasks[row["task"]].sentences(row)]
        for utt, text in texts:
            found.setdefault(normalise_sentence(text), f"{directory.name} {utt}")
    found.pop("", None)
    return found
