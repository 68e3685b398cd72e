"""Checkpoints that a kill at any moment leaves whole: a folder is written aside, synced, then renamed.

``checkpoints/step_00000500/`` holds model.safetensors (trained parameters and buffers; frozen weights come
from where the config takes them), optimizer.safetensors and state.json. Random numbers need no state: every
step seeds them anew from (seed, step).
"""

import json
import os
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_PREFIX = "step_"


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Trained parameters and persistent buffers by name."""
    kept = {name for name, param in model.named_parameters() if param.requires_grad}
    kept |= {name for name, _ in model.named_buffers()}  # no scales of quantised weights, which are neither
    return {name: tensor for name, tensor in model.state_dict().items() if name in kept}


def load_model_tensors(model: nn.Module, tensors: dict[str, Tensor], source: str | Path) -> None:
    """Put ``tensors`` into ``model``. Raises: ValueError if they are not what ``model_tensors`` gives."""
    wanted = model_tensors(model)
    missing, surplus = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or surplus:
        raise ValueError(
            f"{source} does not fit the model: it lacks {missing[:3]} ({len(missing)}), and has {surplus[:3]}"
            f" ({len(surplus)}) that the model does not train; use the config it was written with"
        )
    for name, tensor in wanted.items():
        if tensor.shape != tensors[name].shape:
            raise ValueError(
                f"{source}: {name} is {tuple(tensors[name].shape)}, the model's {tuple(tensor.shape)}"
            )
        tensor.data.copy_(tensors[name])


def checkpoints(run_dir: str | Path) -> list[tuple[int, Path]]:
    """(step, folder) of the complete checkpoints of a run, oldest first."""
    folder = Path(run_dir) / "checkpoints"
    found = [(int(path.name.removeprefix(_PREFIX)), path) for path in folder.glob(f"{_PREFIX}*[0-9]")]
    return sorted(found)


def save(
    run_dir: str | Path, step: int, model: dict[str, Tensor], optimizer: dict[str, Tensor], state: dict
) -> None:
    """Write the checkpoint of ``step`` (steps done)."""
    parent = Path(run_dir) / "checkpoints"
    partial = parent / f"partial_{_PREFIX}{step:08d}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in model.items()}, partial / MODEL)
    save_file({name: tensor.contiguous() for name, tensor in optimizer.items()}, partial / OPTIMIZER)
    (partial / STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
    for path in (*partial.iterdir(), partial):
        _sync(path)
    os.rename(partial, parent / f"{_PREFIX}{step:08d}")
    _sync(parent)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], dict]:
    """Model tensors, optimizer tensors and state of a checkpoint."""
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return load_file(folder / MODEL), load_file(folder / OPTIMIZER), state


def tidy(run_dir: str | Path, keep: int) -> None:
    """Remove what a kill left half-written or half-removed, and all checkpoints but the last ``keep``."""
    for _, path in checkpoints(run_dir)[:-keep]:
        os.rename(path, path.with_name(f"removed_{path.name}"))
    for pattern in ("partial_*", "removed_*"):
        for path in (Path(run_dir) / "checkpoints").glob(pattern):
            shutil.rmtree(path)


def check_same(old: dict, new: dict, run_dir: str | Path) -> None:
    """Raises: ValueError naming the first key in which two (nested) configurations differ."""
    flat_old, flat_new = _flatten(old), _flatten(new)
    for name in [*flat_old, *flat_new]:
        before, now = flat_old.get(name, "not set"), flat_new.get(name, "not set")
        if before != now:
            raise ValueError(
                f"{run_dir} holds checkpoints of another run: {name} was {before!r} and is now {now!r};"
                " set it back to go on, or write into another folder (--tag)"
            )


def _flatten(tree: object, prefix: str = "") -> dict[str, object]:
    if isinstance(tree, dict) and tree:
        return {
            name: leaf for key, sub in tree.items() for name, leaf in _flatten(sub, f"{prefix}{key}.").items()
        }
    if isinstance(tree, list) and any(isinstance(item, dict) for item in tree):
        return _flatten({str(number): item for number, item in enumerate(tree)}, prefix)
    return {prefix.removesuffix("."): tree}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
