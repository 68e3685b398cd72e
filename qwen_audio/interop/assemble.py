"""Import: parts of foreign checkpoints become a model folder (qwen_audio/model_folder.py)."""

import json
from contextlib import ExitStack
from pathlib import Path

import yaml
from safetensors.torch import save_file

from qwen_audio.config import load_config, merge
from qwen_audio.infer.stored import read_skeleton
from qwen_audio.interop import causal_lm, espnet, own, qwen2_audio, qwen_audio, whisper
from qwen_audio.interop.dtypes import DTYPES
from qwen_audio.interop.own import ARCHIVE, SOURCE, check_apart, copy_files, fetch
from qwen_audio.interop.part import Part
from qwen_audio.interop.place import add_rows, collect, complete, split_rows, untie
from qwen_audio.interop.shards import sha256
from qwen_audio.model_folder import CONFIG, TOKENIZER, WEIGHTS, write_run
from qwen_audio.registry import nearest
from qwen_audio.tokenizer import Tokenizer, build_from_hub, set_dialogue_form

FORMATS = (qwen2_audio, qwen_audio, whisper, causal_lm)
NEEDED = {"encoder": "a Whisper or an ESPnet encoder", "decoder": "a causal language model"}


def recognise(source: str | Path, target: Path, done: ExitStack) -> Part:
    """What the folder or hub name ``source`` holds, by its config.

    Args:
        target: the folder to write; a pack is unpacked beside it, until ``done`` closes.

    Raises:
        ValueError: if it is none of the known kinds.
    """
    if own.is_pack(Path(source)):
        return own.read_pack(Path(source), target, done)
    folder = fetch(str(source))
    if own.matches(folder):
        return own.read(folder)
    if own.is_pack(folder / ARCHIVE):
        return own.read_pack(folder / ARCHIVE, target, done)
    if espnet.matches(folder):
        return espnet.read(folder)
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} holds neither a config.json nor an ESPnet config.yaml with a .pth file nor a {ARCHIVE}"
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for module in FORMATS:
        if module.matches(config):
            return module.read(folder, config)
    raise ValueError(
        f"{folder / 'config.json'}: model_type {config.get('model_type')!r} is not known here; what is: Qwen-Audio,"
        " Qwen2-Audio, Whisper, the causal language models of transformers, an ESPnet encoder"
    )


def import_model(
    sources: list[str], folder: str | Path, dtype: str = "source", leave_out: list[str] = (), overrides=()
) -> dict:
    """Write the model that ``sources`` give together into ``folder``, weights last.

    Tensors take their stored type one by one: beside the model in that type, no more than a shard is in memory.

    Args:
        dtype: of the stored tensors; ``source`` keeps theirs.
        leave_out: patterns (``*.inv_freq``) of source tensors that are not wanted.
        overrides: ``key=value`` of the configuration, such as ``adapter=stack_linear``.

    Returns:
        what SOURCE.json holds: kinds, hashes, and counts of tensors placed, left out and new.

    Raises:
        ValueError: naming what no source gives, or tensors that are missing, unknown, or of another shape.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}{nearest(dtype, DTYPES)}")
    folder = Path(folder)
    with ExitStack() as done:
        parts = [recognise(source, folder, done) for source in sources]
        return _assemble(parts, folder, dtype, leave_out, overrides)


def _assemble(
    parts: list[Part], folder: Path, dtype: str, leave_out: list[str], overrides: list[str]
) -> dict:
    for part in parts:
        check_apart(part.folder, folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).unlink(missing_ok=True)
    home = next((part.home for part in parts if part.home), None)
    if home:
        copy_files(home, folder)
        if overrides:
            config = load_config(home / CONFIG, list(overrides))
            (folder / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "utf-8")
    else:
        _settle(parts, folder, list(overrides))
    built = read_skeleton(folder)
    tensors, counts = collect(parts, DTYPES[dtype], list(leave_out))
    for part in parts:
        if part.finish:
            part.finish(tensors, built.tokenizer.token_id)
    untie(tensors, built)
    if any(part.joined for part in parts):
        split_rows(tensors, built)
    counts["new"] = (0 if home else add_rows(tensors, built)) + complete(tensors, built)
    about = {
        "sources": [
            {"kind": part.kind, "name": part.folder.name, "sha256": {f.name: sha256(f) for f in part.files}}
            for part in parts
        ],
        "tensors": counts,
    }
    partial = folder / f"{WEIGHTS}.partial"
    save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, partial, {"format": "pt"})
    if not home:
        (folder / SOURCE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    partial.rename(folder / WEIGHTS)
    return about


def _settle(parts: list[Part], folder: Path, overrides: list[str]) -> None:
    """Write all of the model folder but its weights: configuration, shapes, tokenizer."""
    config: dict = {"phases": [{"steps": 1}]}
    for slot, what in NEEDED.items():
        giving = [part for part in parts if slot in part.config]
        if len(giving) != 1:
            named = " and ".join(f"{part.kind} ({part.folder})" for part in giving or parts)
            fault = f"each give the {slot}; name one" if giving else f"gives no {slot}; name {what} too"
            raise ValueError(f"{named} {fault}")
    for part in parts:
        config = merge(config, part.config)
        for slot, shape in part.shapes.items():
            shape.save_pretrained(folder / slot)
            config[f"{slot}_conf"] = {"model": str((folder / slot).resolve()), **config[f"{slot}_conf"]}
        if part.write_tokenizer:
            part.write_tokenizer(folder / "decoder")
    build_from_hub(str(folder / "decoder"), folder / TOKENIZER)
    for part in parts:
        if part.audio_label:
            set_dialogue_form(folder / TOKENIZER, audio_label=part.audio_label)
        if part.answer_times:
            set_dialogue_form(folder / TOKENIZER, answer_times=True)
    (folder / CONFIG).write_text(yaml.safe_dump(config), encoding="utf-8")
    whole = load_config(folder / CONFIG, overrides)
    write_run(
        folder, Tokenizer(folder / TOKENIZER), whole, [task for part in parts for task in part.tasks], []
    )
