"""Filling the frame cache of a run whose encoder and adapter are frozen (qwen_audio/data/frame_cache.py)."""

import fcntl
import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.build import DTYPES
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import read_clip
from qwen_audio.data.frame_cache import CLIPS, FRAMES, FrameCache, content_of
from qwen_audio.data.packing import padded_batches
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.model import AudioLLM
from qwen_audio.progress import progress
from qwen_audio.train.ranks import Ranks

PART = ("frontend", "encoder", "adapter")  # what the frames depend on
BATCH_SECONDS, BATCH_CLIPS = 90, 48  # of padded audio that is encoded at once

Clip = tuple[TokenSet, str, int]  # its set, audio spec, samples


def planned(plan: BatchPlan, valid: ValidPlan) -> list[Clip]:
    """Each audio that a run hears in its steps and validations, once."""
    found: dict[str, Clip] = {}
    steps = (plan.batch(step) for step in range(plan.steps))
    for sets, batches in ((valid.sets, map(valid.batch, range(len(valid)))), (plan.sets, steps)):
        seen: list[set[int]] = [set() for _ in sets]
        for entries in itertools.chain.from_iterable(batches):
            for number in np.unique(entries["set"]).tolist():
                data = sets[number]
                _, audios, samples = data.clips(entries["row"][entries["set"] == number])
                for audio, length in zip(audios.tolist(), samples.tolist(), strict=True):
                    if audio not in seen[number]:
                        seen[number].add(audio)
                        spec = data.spec(audio)
                        found.setdefault(spec, (data, spec, length))
            if sum(map(len, seen)) == sum(data.num_audios for data in sets):
                break
    return list(found.values())


def fill(
    model: AudioLLM, clips: Sequence[Clip], config: dict, folder: str | Path, ranks: Ranks
) -> FrameCache:
    """The frames of ``clips``, computed where they are not there yet, by rank 0.

    The model hears as it does in use: without SpecAugment and dropout. Frames are kept in ``train_dtype``.

    Args:
        clips: as ``planned`` gives them.
        config: training configuration; ``frame_cache: {max_gb: 4}`` bounds ``folder``. To make room, what other
            frozen parts left there is removed, that used longest ago first.
        folder: such as exp/frame_cache; each frozen part has one in it, named by its configuration and weights.

    Raises:
        ValueError: if a part is trained, or if the frames take more than ``max_gb``.
    """
    _check_frozen(model)
    dtype, folder = DTYPES[config["train_dtype"]], Path(folder)
    own = folder / part_key(model, config)
    width = model.decoder.hidden_size
    if ranks.rank == 0:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of one part take turns
            cache = FrameCache(own, width, dtype)
            missing = [clip for clip in clips if not cache.has(clip[1])]
            need = sum(model.num_frames(samples) for *_, samples in missing) * width * dtype.itemsize
            _make_room(folder, own, cache.size + need, config["frame_cache"]["max_gb"])
            _compute(model, cache, missing, dtype, ranks)
    ranks.first(None)  # the others wait
    cache = FrameCache(own, width, dtype)
    assert all([cache.has(spec) for _, spec, _ in clips])  # of each, as this chooses its frames
    return cache


def part_key(model: AudioLLM, config: dict) -> str:
    """Hash of the configuration and the weights of what the frames depend on, and of how they are computed."""
    about = {slot: [config[slot], config[f"{slot}_conf"]] for slot in PART}
    digest = hashlib.sha256(json.dumps([about, config["train_dtype"]], sort_keys=True).encode())
    for slot in PART:
        for name, tensor in getattr(model, slot).state_dict().items():
            data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            digest.update(f"{slot}.{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(data)
    return digest.hexdigest()[:16]


def _check_frozen(model: AudioLLM) -> None:
    for slot in PART:
        for name, param in getattr(model, slot).named_parameters():
            if param.requires_grad:
                raise ValueError(
                    f"frame_cache keeps what frozen parts give, but {slot}.{name} is trained; add {slot} to"
                    " freeze_param, or write frame_cache: {}"
                )


def _make_room(folder: Path, own: Path, need: int, max_gb: float) -> None:
    """Remove the caches of other parts until ``need`` bytes fit below the bound."""
    limit = round(max_gb * 1e9)
    if need > limit:
        raise ValueError(
            f"the frames of these sets take {need / 1e9:.2f} GB, above frame_cache.max_gb of {max_gb:g}; raise it, or"
            " write frame_cache: {}"
        )
    others = [path for path in folder.iterdir() if re.fullmatch("[0-9a-f]{16}", path.name) and path != own]
    others = sorted(
        (path for path in others if (path / CLIPS).is_file()), key=lambda path: path.stat().st_mtime
    )
    sizes = [(path / FRAMES).stat().st_size if (path / FRAMES).exists() else 0 for path in others]
    while need + sum(sizes) > limit:
        shutil.rmtree(others.pop(0))
        sizes.pop(0)


@torch.no_grad()
def _compute(
    model: AudioLLM, cache: FrameCache, missing: list[Clip], dtype: torch.dtype, ranks: Ranks
) -> None:
    was_training = model.training
    model.eval()
    for slot in PART:  # the LLM comes to the device quantised or in train_dtype, for which this is too early
        getattr(model, slot).to(ranks.device)
    order = sorted(missing, key=lambda entry: -entry[2])
    batches = padded_batches(order, lambda entry: entry[2], BATCH_SECONDS * SAMPLE_RATE, BATCH_CLIPS)
    for batch in progress(batches, None, "frames of the frozen encoder, batches"):
        clips = [read_clip(data, spec, samples) for data, spec, samples in batch]
        contents = [content_of(clip) for clip in clips]
        new = [n for n, entry in enumerate(batch) if not cache.add(entry[1], contents[n])]
        if not new:
            continue
        lengths = torch.tensor([len(clips[n]) for n in new], device=ranks.device)
        speech = [torch.as_tensor(clips[n]) for n in new]
        speech = torch.nn.utils.rnn.pad_sequence(speech, batch_first=True).to(ranks.device)
        with torch.autocast(ranks.device.type, dtype, enabled=dtype != torch.float32):
            frames, frame_lengths = model.encode(speech, lengths)
        for n, row, length in zip(new, frames, frame_lengths.tolist(), strict=True):
            cache.add(batch[n][1], contents[n], row[:length])
    model.train(was_training)
