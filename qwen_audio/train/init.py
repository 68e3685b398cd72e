"""Starting from a trained model: every tensor of its folder goes into the new model, or is named."""

import hashlib
import json
from pathlib import Path

from qwen_audio.build import build_model
from qwen_audio.infer.load import load_model
from qwen_audio.infer.requests import task_of
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import RUN, WEIGHTS, given_by_init, shaped_by_init
from qwen_audio.registry import SLOTS
from qwen_audio.task_spec import WORDS, load_tasks
from qwen_audio.tokenizer import Tokenizer

LORA, WRAPPED = ".lora_", ".base_layer."  # in peft's names: matrices of LoRA, and the layer they are added to


def build_from(config: dict, tokenizer: Tokenizer, ctc_tokens: list[int], tasks: int) -> AudioLLM:
    """The model of ``config`` with the weights of the folder ``config["init"]`` (as stage 5 leaves one).

    Its LoRA matrices are merged into its LLM first; where ``config`` asks for LoRA, new ones are added. A slot with
    another component than the folder's starts anew. Arguments as of ``build_model``; the tokenizer is the folder's
    (qwen_audio/data/run_tokenizer.py checks that).

    Raises:
        ValueError: if a component's tensors are missing, left over or of another shape.
    """
    folder = Path(config["init"])
    loaded = load_model(folder)
    model = build_model(shaped_by_init(config), tokenizer, ctc_tokens, tasks)
    for slot in given_by_init(config):
        _place(model, loaded.model, slot, folder)
    return model


def check_word_times(config: dict, tasks: list[str]) -> None:
    """Raises: ValueError if the sets, of streams ``tasks``, teach another form of word times than is decoded."""
    specs = load_tasks()
    timed = [task for task in map(task_of, tasks) if task in specs and specs[task].target == WORDS]
    if timed and config["timestamp_head_conf"].get("shared"):
        raise ValueError(
            f"timestamp_head_conf.shared is true, as {config['init']} writes word times; in the sets of {timed[0]}"
            " each word has a start and an end of its own: write timestamp_head_conf: {shared: false}"
        )


def made_of(config: dict) -> dict:
    """run.json of the folder ``config["init"]``: its ``tasks``, and the ``ctc_tokens`` that its CTC can emit."""
    return json.loads((Path(config["init"]) / RUN).read_text(encoding="utf-8"))


def identity(config: dict) -> str:
    """The folder ``config["init"]`` and the hash of its weights: another one is another run."""
    with open(Path(config["init"]) / WEIGHTS, "rb") as stream:
        return f"{config['init']} {hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"


def describe(config: dict) -> str:
    """A line that says what comes from where."""
    filled, given = [slot for slot in SLOTS if config[slot] is not None], given_by_init(config)
    taken, anew = ([slot for slot in filled if (slot in given) == which] for which in (True, False))
    return f"init {config['init']}: {', '.join(taken)}" + (f"; anew: {', '.join(anew)}" if anew else "")


def _place(model: AudioLLM, source: AudioLLM, slot: str, folder: Path) -> None:
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(f"{slot}.") and LORA not in name
    }
    plain = {name: name.replace(WRAPPED, ".") for name in wanted}
    given = {name: tensor for name, tensor in source.state_dict().items() if name.startswith(f"{slot}.")}
    missing = sorted(set(plain.values()) - set(given))
    surplus = sorted(set(given) - set(plain.values()))
    other = sorted(n for n, p in plain.items() if p in given and wanted[n].shape != given[p].shape)
    for what, names in (("lacks", missing), ("has left over", surplus), ("has another shape of", other)):
        if names:
            raise ValueError(
                f"init: {folder} {what} {len(names)} tensors of {slot} ({', '.join(names[:3])}); give {slot}_conf the"
                f" options it was trained with, or another component, which starts anew"
            )
    for name, tensor in wanted.items():
        tensor.copy_(given[plain[name]])
