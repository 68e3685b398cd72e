"""What a model folder holds, in words: components, sizes, rates, vocabulary, where it came from."""

import json
from collections import Counter
from pathlib import Path

from safetensors import safe_open

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.infer.stored import StoredModel, read_skeleton
from qwen_audio.interop.own import SOURCE
from qwen_audio.interop.shards import sha256
from qwen_audio.model_folder import WEIGHTS
from qwen_audio.registry import SLOTS

MEASURED = 30  # seconds; over a whole window the rounding of lengths does not show


def report(folder: str | Path) -> list[str]:
    """Lines for a terminal; no weights are loaded.

    Raises:
        ValueError: if the folder is no model's, or has no weights.
    """
    folder = Path(folder)
    built = read_skeleton(folder)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ValueError(f"{weights} is missing; stage 5 writes it")
    sizes = part_sizes(built)
    lines = [f"{'slot':15} {'component':18} {'parameters':>14} {'trainable':>14} {'frozen':>14}"]
    for slot in SLOTS:
        trained, frozen = sizes.get(slot, (0, 0))
        name = built.config[slot] or "-"
        lines.append(f"{slot:15} {name:18} {trained + frozen:14,} {trained:14,} {frozen:14,}")
    trained, frozen = (sum(size[which] for size in sizes.values()) for which in (0, 1))
    lines.append(f"{'all':15} {'':18} {trained + frozen:14,} {trained:14,} {frozen:14,}")
    model, tokenizer = built.model, built.tokenizer
    features = model.frontend.num_frames(MEASURED * SAMPLE_RATE)
    encoded = model.encoder.num_frames(features)
    rates = [MEASURED / frames for frames in (features, encoded, model.adapter.num_frames(encoded))]
    lines.append("seconds a frame: {:.3f} features, {:.3f} encoder, {:.3f} decoder".format(*rates))
    lines.append(
        f"vocabulary: {len(tokenizer):,} = {tokenizer.base_size:,} of the base tokenizer"
        f" + {len(tokenizer.new_tokens):,} new"
    )
    lines.append(f"tasks: {', '.join(built.run['tasks']) or '-'}")
    with safe_open(weights, "pt") as stored:
        kinds = Counter(stored.get_slice(name).get_dtype() for name in stored.keys())  # noqa: SIM118
    types = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    lines.append(
        f"weights: {weights.stat().st_size / 1e6:,.1f} MB, tensors: {types}, sha256 {sha256(weights)}"
    )
    return lines + provenance(folder)


def part_sizes(built: StoredModel) -> dict[str, tuple[int, int]]:
    """slot -> parameters trainable and frozen, as ``freeze_param`` says; tied ones once."""
    sizes: dict[str, tuple[int, int]] = {}
    for name, parameter in built.model.named_parameters():
        slot = name.partition(".")[0]
        trained, frozen = sizes.get(slot, (0, 0))
        count = parameter.numel()
        sizes[slot] = (trained + count, frozen) if parameter.requires_grad else (trained, frozen + count)
    return sizes


def provenance(folder: Path) -> list[str]:
    """A line for each source of imported weights and each of its files, with hashes."""
    if not (folder / SOURCE).is_file():
        return ["source: trained here"]
    lines = []
    for source in json.loads((folder / SOURCE).read_text(encoding="utf-8"))["sources"]:
        lines.append(f"source: {source['kind']}, {source['name']}")
        lines += [f"  {file} sha256 {digest}" for file, digest in source["sha256"].items()]
    return lines
