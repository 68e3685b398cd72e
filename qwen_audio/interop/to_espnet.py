"""Export as ESPnet's model zoo packs a model: one archive that its ``unpack`` and AudioLLMTask read."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file

from qwen_audio.infer.stored import read_skeleton
from qwen_audio.interop.own import ARCHIVE, HOME, PACKED, copy_home
from qwen_audio.model_folder import TOKENIZER, WEIGHTS, backbones
from qwen_audio.registry import SLOTS
from qwen_audio.tokenizer import META

TRAIN_CONFIG = "config.yaml"


def export(source: str | Path, folder: str | Path) -> None:
    """Write the model in ``source`` as ``folder``/model.tar; weights do not compress.

    It holds the training configuration of AudioLLMTask, the tensors as .pth, and the model folder without weights.
    Paths in the configuration are files, as ``unpack`` finds them again.
    """
    from espnet2.main_funcs.pack_funcs import pack

    source, target = Path(source), Path(folder).resolve()
    built = read_skeleton(source)
    tensors = load_file(source / WEIGHTS)
    state = {name: tensors[first] for first, tied in built.parameters().items() for name in (first, *tied)}
    config = {key: built.config[key] for slot in SLOTS for key in (slot, f"{slot}_conf")}
    for slot in backbones(built.config):
        config[f"{slot}_conf"] = {
            **config[f"{slot}_conf"],
            "model": f"{HOME}/{slot}/config.json",
            "pretrained": False,
        }
    config |= {
        "freeze_param": built.config["freeze_param"],
        "tokenizer": f"{HOME}/{TOKENIZER}/{META}",
        "tasks": built.run["tasks"],
        "ctc_tokens": built.run["ctc_tokens"],
    }
    with tempfile.TemporaryDirectory() as scratch:
        copy_home(source, Path(scratch))
        torch.save(state, Path(scratch) / PACKED)
        (Path(scratch) / TRAIN_CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        with contextlib.chdir(scratch):  # the archive's names are relative to here
            pack({"model_file": PACKED}, {"train_config": TRAIN_CONFIG}, ARCHIVE, [HOME])
        target.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch) / ARCHIVE, target / ARCHIVE)
