"""Average of checkpoints: the trained tensors of several, in float32."""

from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open

from qwen_audio.train.checkpoint import MODEL, checkpoints
from qwen_audio.train.log import LOG, read_log


def select(run_dir: str | Path, count: int, by: str = "last") -> list[Path]:
    """Checkpoint folders to average, oldest first: the ``count`` last, or those of lowest validation loss.

    By ``valid`` the checkpoints of the last phase alone are looked at: another phase has other losses, such as CTC's
    alone, and their size says nothing about its checkpoints.

    Raises:
        ValueError: if ``by`` is unknown or there is none to choose from.
    """
    found = checkpoints(run_dir)
    if by == "valid":
        rows = [row for row in read_log(Path(run_dir) / LOG) if row.get("valid")]
        loss = {row["step"]: row["loss"] for row in rows if row.get("phase") == rows[-1].get("phase")}
        found = sorted(
            sorted((step, path) for step, path in found if step in loss), key=lambda item: loss[item[0]]
        )
        found = sorted(found[:count])
    elif by != "last":
        raise ValueError(f"checkpoints cannot be chosen by {by!r}; write last or valid")
    if not found:
        wanted = (
            "checkpoint of the last phase with a validation at its step" if by == "valid" else "checkpoint"
        )
        raise ValueError(f"{run_dir} has no {wanted}; train first (stage 4)")
    return [path for _, path in found[-count:]]


def average(folders: list[Path]) -> dict[str, torch.Tensor]:
    """The mean of the checkpoints' model tensors, by name.

    Floating-point tensors become float32; counters and other integers are the last checkpoint's. One tensor
    of one checkpoint is read at a time.

    Raises:
        ValueError: if the checkpoints do not hold the same tensors.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(folder / MODEL, framework="pt")) for folder in folders]
        shapes = [{name: file.get_slice(name).get_shape() for name in file.keys()} for file in files]  # noqa: SIM118
        for folder, other in zip(folders, shapes, strict=True):
            if other != shapes[0]:
                different = sorted(
                    name for name in {*other, *shapes[0]} if other.get(name) != shapes[0].get(name)
                )
                raise ValueError(
                    f"{folder} and {folders[0]} differ in {different[:3]}; average one run's checkpoints"
                )

        def mean(name: str) -> torch.Tensor:
            last = files[-1].get_tensor(name)
            if not last.is_floating_point():
                return last
            total = torch.zeros(last.shape)
            for file in files:
                total += file.get_tensor(name)
            return total / len(files)

        return {name: mean(name) for name in shapes[0]}
