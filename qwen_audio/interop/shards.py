"""Weights of a released checkpoint, a tensor at a time: safetensors or .bin, in one file or in shards."""

import gc
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

NAMES = ("model.safetensors", "pytorch_model.bin")  # alone, or with .index.json beside their shards


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a Hugging Face folder; safetensors where there are both.

    Raises:
        ValueError: if there is none, or one that the index names is missing.
    """
    for name in NAMES:
        index = folder / f"{name}.index.json"
        if index.is_file():
            files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            missing = [file for file in files if not (folder / file).is_file()]
            if missing:
                raise ValueError(
                    f"{index} names {missing[0]}, which is not there; fetch the {len(files)} shards"
                )
            return [folder / file for file in files]
        if (folder / name).is_file():
            return [folder / name]
    raise ValueError(f"{folder} holds no weights: neither {' nor '.join(NAMES)}, nor an index of shards")


def read_tensors(files: list[Path]) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor, file by file; pickles are read with ``weights_only``.

    Raises:
        ValueError: if a file is damaged, or holds more than tensors.
    """
    for file in files:
        try:
            if file.suffix == ".safetensors":
                with safe_open(file, "pt") as stored:
                    for name in stored.keys():  # noqa: SIM118  not a mapping
                        yield name, stored.get_tensor(name)
            else:
                state = torch.load(file, "cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
                yield from state.items()
                del state
                gc.collect()  # what torch.load leaves behind refers to itself, and to the whole shard
        except (OSError, ValueError):
            raise
        except Exception as error:  # of the two formats' own kinds
            reason = " ".join(str(error).split())[:300]
            raise ValueError(f"{file} cannot be read: {reason}; fetch it again") from error


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
