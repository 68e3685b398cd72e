"""Tensors of foreign checkpoints, each to its place in a model of ours; what has none is named."""

import fnmatch

import torch
from torch import Tensor

from qwen_audio.decoder.causal import initial_rows
from qwen_audio.infer.stored import StoredModel
from qwen_audio.interop.part import Part
from qwen_audio.interop.shards import read_tensors
from qwen_audio.registry import component_class

NEW, NEW_HEAD = "decoder.new_rows", "decoder.new_output_rows"


def collect(
    parts: list[Part], dtype: torch.dtype | None, leave_out: list[str]
) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Tensors of all parts by our names, and how many of theirs were placed and left out.

    Raises:
        ValueError: for tensors without a place, two for one place, or a pattern that fits none.
    """
    tensors, unknown, unused = {}, [], set(leave_out)
    counts = {"placed": 0, "left out": 0}
    for part in parts:
        for name, tensor in read_tensors(part.files):
            fitting = [pattern for pattern in leave_out if fnmatch.fnmatchcase(name, pattern)]
            unused -= set(fitting)
            targets = [] if fitting else part.names.targets(name)
            if targets is None:
                unknown.append(name)
                continue
            counts["placed" if targets else "left out"] += 1
            pieces = tensor.chunk(len(targets)) if len(targets) > 1 else (tensor,)
            for target, piece in zip(targets, pieces):
                if target in tensors:
                    raise ValueError(f"{part.folder}: {name} is the second tensor for {target}")
                wanted = dtype if dtype and piece.is_floating_point() else piece.dtype
                tensors[target] = piece.to(wanted, copy=len(targets) > 1)
    if unknown:
        raise ValueError(
            f"{_some(unknown)} of the source have no place here; --leave_out them, or name another source"
        )
    if unused:
        raise ValueError(f"--leave_out {sorted(unused)[0]!r} fits no tensor of the source")
    return tensors, counts


def add_rows(tensors: dict[str, Tensor], built: StoredModel) -> int:
    """Put in start values for the embedding rows of tokens that the source does not know; gives how many."""
    rows, head = built.embeddings()
    names, size = built.tokenizer.new_tokens, built.tokenizer.base_size
    if names:
        for source, target in ((rows, NEW), (head, NEW_HEAD)):
            if source in tensors:
                tensors[target] = initial_rows(tensors[source][:size], names).to(tensors[source].dtype)
    return len({NEW, NEW_HEAD} & set(tensors))


def split_rows(tensors: dict[str, Tensor], built: StoredModel) -> None:
    """The reverse of ``join_rows``: rows of new tokens out of the embedding of an export."""
    rows, head = built.embeddings()
    size, count = built.tokenizer.base_size, len(built.tokenizer.new_tokens)
    if count:
        for source, target in ((rows, NEW), (head, NEW_HEAD)):
            if source in tensors:
                whole = tensors[source]
                tensors[target] = whole[size : size + count].clone()
                tensors[source] = torch.cat([whole[:size], whole[size + count :]])


def join_rows(tensors: dict[str, Tensor], built: StoredModel) -> int:
    """Put the rows of new tokens where their ids say, before spare rows; the head gets tensors of its own.

    Returns:
        rows of the embedding now.
    """
    rows, head = built.embeddings()
    size = built.tokenizer.base_size
    new = tensors.pop(NEW, tensors[rows][:0])
    whole = torch.cat([tensors[rows][:size], new, tensors[rows][size:]])
    if head is None:
        tensors[built.parameters()[rows][0]] = whole.clone()
    else:
        new_head = tensors.pop(NEW_HEAD, tensors[head][:0])
        tensors[head] = torch.cat([tensors[head][:size], new_head, tensors[head][size:]])
    tensors[rows] = whole
    return len(whole)


def complete(tensors: dict[str, Tensor], built: StoredModel) -> int:
    """Check that each tensor of the model is there, in its shape; an adapter that no source gives starts anew.

    Returns:
        tensors that are new.

    Raises:
        ValueError: naming the first few that are missing, left over or of another shape.
    """
    config, model = built.config, built.model
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    expected = {name: expected[name] for name in built.parameters()}
    fresh = {name for name in expected if name.startswith("adapter.")}
    if fresh.isdisjoint(tensors):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            make = component_class("adapter", config["adapter"])
            widths = {"input_size": model.encoder.output_size(), "output_size": model.decoder.hidden_size}
            adapter = make(**widths, **config["adapter_conf"])
        tensors.update({f"adapter.{name}": tensor for name, tensor in adapter.state_dict().items()})
    else:
        fresh = set()
    faults = {
        "missing": sorted(set(expected) - set(tensors)),
        "left over": sorted(set(tensors) - set(expected)),
        "of another shape than the configuration says": [
            f"{name} {tuple(tensors[name].shape)}, not {tuple(shape)}"
            for name, shape in expected.items()
            if name in tensors and tensors[name].shape != shape
        ],
    }
    for fault, names in faults.items():
        if names:
            raise ValueError(f"{_some(names)} {'is' if len(names) == 1 else 'are'} {fault}")
    return len(fresh)


def untie(tensors: dict[str, Tensor], built: StoredModel) -> None:
    """Keep one of each group of tied tensors, under the first name.

    Raises:
        ValueError: if two that the configuration ties differ.
    """
    for first, others in built.parameters().items():
        for name in [name for name in others if name in tensors]:
            copy = tensors.pop(name)
            if not torch.equal(tensors.setdefault(first, copy), copy):
                raise ValueError(f"{name} differs from {first}, to which the configuration ties it")


def _some(names: list[str]) -> str:
    count = f"{len(names)} tensor{'s' * (len(names) > 1)}"
    return f"{count} ({', '.join(names[:3])}{', …' * (len(names) > 3)})"
