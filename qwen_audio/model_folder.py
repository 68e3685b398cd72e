"""A trained model as a folder: written by ``export_model``, read by qwen_audio/infer/load.py, complete in itself.

| file | holds |
|---|---|
| config.yaml | the whole configuration the model was trained with |
| model.safetensors | every tensor of the model, frozen ones included, tied ones once |
| encoder/, decoder/ | config.json of the Hugging Face model that the component names: its shape, no weights |
| tokenizer/ | the tokenizer with the special tokens |
| decode.yaml | how answers are searched where a command is not told (qwen_audio/infer/options.py); may be missing |
| run.json | ``ctc_tokens``: ids the CTC component can emit; ``tasks``: the streams it was trained on (``asr/en``) |
"""

import contextlib
import copy
import inspect
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml
from safetensors.torch import save_file
from torch import nn

from qwen_audio.config import read_yaml, with_all_keys
from qwen_audio.model import AudioLLM
from qwen_audio.registry import SLOTS, component_class
from qwen_audio.tokenizer import Tokenizer

CONFIG, WEIGHTS, RUN, TOKENIZER = "config.yaml", "model.safetensors", "run.json", "tokenizer"
DECODE = "decode.yaml"


def export_model(
    model: AudioLLM,
    tokenizer: Tokenizer,
    config: dict,
    tasks: list[str],
    ctc_tokens: list[int],
    folder: str | Path,
) -> None:
    """Write ``model`` into ``folder``, which may hold other files; model.safetensors appears last, complete.

    Args:
        config: the configuration it was built from, complete (qwen_audio/config.py).
        tasks: the streams it was trained on, such as ``asr/en`` or ``lid`` (TaskSpec.stream).
        ctc_tokens: token ids its CTC component can emit, as given to ``build_model``.
    """
    folder = Path(folder)
    write_run(folder, tokenizer, config, tasks, ctc_tokens)
    (folder / WEIGHTS).unlink(missing_ok=True)
    shaped = shaped_by_init(config)
    for slot in backbones(config):
        from qwen_audio.interop.llm import read_shape

        shape = read_shape(shaped[f"{slot}_conf"]["model"])
        shape.__dict__.pop("quantization_config", None)  # of the file the weights came from; ours are whole
        with _aside(folder / slot) as partial:
            shape.save_pretrained(partial)
    state = model.state_dict()
    with _aside(folder / WEIGHTS) as partial:
        kept = {names[0]: state[names[0]].detach().cpu().contiguous() for names in tied_names(model)}
        save_file(kept, partial, {"format": "pt"})


def write_run(
    folder: Path, tokenizer: Tokenizer, config: dict, tasks: list[str], ctc_tokens: list[int]
) -> None:
    """Write what rebuilds a model besides its weights and backbone shapes; arguments as of ``export_model``."""
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer.folder.resolve() != (folder / TOKENIZER).resolve():
        with _aside(folder / TOKENIZER) as partial:
            shutil.copytree(tokenizer.folder, partial)
    with _aside(folder / CONFIG) as partial:
        partial.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    with _aside(folder / RUN) as partial:
        run = {"ctc_tokens": [int(token) for token in ctc_tokens], "tasks": list(tasks)}
        partial.write_text(json.dumps(run) + "\n", encoding="utf-8")


def weights_id(folder: str | Path) -> str:
    """What tells the weights of one model folder from others, and from what stood there before."""
    return file_id(Path(folder) / WEIGHTS)


def file_id(path: Path) -> str:
    """The same for any file."""
    found = path.stat()
    return f"{path.resolve()} {found.st_size} {found.st_mtime_ns}"


def backbones(config: dict) -> list[str]:
    """Slots whose component is built after a Hugging Face model: it takes ``model`` and ``pretrained``."""
    found = []
    for slot in SLOTS:
        if config[slot] is not None and "model" in config[f"{slot}_conf"]:
            parameters = inspect.signature(component_class(slot, config[slot]).__init__).parameters
            found += [slot] if "pretrained" in parameters else []
    return found


def shaped_by(config: dict, folder: str | Path, slots: Sequence[str] = tuple(SLOTS)) -> dict:
    """``config`` with the shapes of the backbones in ``slots`` from ``folder``, and no pretrained weights read.

    The paths that a configuration holds are those of its training: a folder may have been moved or copied since.
    """
    config = copy.deepcopy(config)
    for slot in set(backbones(config)).intersection(slots):
        config[f"{slot}_conf"].update(model=str(Path(folder) / slot), pretrained=False)
    return config


def shaped_by_init(config: dict) -> dict:
    """``config`` as it is trained: what the folder ``config["init"]`` gives takes its shape from there."""
    return shaped_by(config, config["init"], given_by_init(config)) if config["init"] else config


def given_by_init(config: dict) -> list[str]:
    """Slots with the component of the folder ``config["init"]``, whose weights they take; others start anew."""
    theirs = with_all_keys(read_yaml(Path(config["init"]) / CONFIG))
    return [slot for slot in SLOTS if config[slot] == theirs[slot]]


def tied_names(model: nn.Module) -> list[list[str]]:
    """Names of the tensors of ``model.state_dict()`` in groups that are one tensor."""
    stored, groups = model.state_dict(), {}
    held = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    for name, tensor in held:
        if name in stored:
            groups.setdefault(id(tensor), []).append(name)
    return list(groups.values())


@contextlib.contextmanager
def _aside(path: Path):
    """A path to write to; what was written there takes the place of ``path`` at the end."""
    partial = path.with_name(f"{path.name}.partial")
    _remove(partial)
    yield partial
    if path.is_dir():
        _remove(path)
    os.replace(partial, path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
