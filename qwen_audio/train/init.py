"""Starting from a trained model: every tensor of its folder goes into the new model, or is named."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from qwen_audio.build import assemble, freeze, store_decoder
from qwen_audio.config import GIVEN
from qwen_audio.infer.stored import read_stored
from qwen_audio.infer.weights import fill
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import RUN, WEIGHTS, given_by_init, shaped_by_init, tied_names
from qwen_audio.registry import SLOTS
from qwen_audio.task_spec import WORDS, load_tasks, task_of
from qwen_audio.tokenizer import Tokenizer


def build_from(
    config: dict,
    tokenizer: Tokenizer,
    ctc_tokens: Sequence[int],
    tasks: int,
    frozen_dtype: torch.dtype | None = torch.float32,
) -> AudioLLM:
    """The model of ``config`` with the weights of the folder ``config["init"]`` (as stage 5 leaves one).

    Its LoRA matrices are merged into its LLM first; where ``config`` asks for LoRA, new ones are added. A slot with
    another component than the folder's starts anew. Arguments as of ``build_model``; the tokenizer is the folder's
    (qwen_audio/data/run_tokenizer.py checks that). Frozen weights that keep their type stay pages of its file.

    Raises:
        ValueError: if a component's tensors are missing, left over or of another shape.
    """
    folder, given, shaped = Path(config["init"]), given_by_init(config), shaped_by_init(config)
    lora = shaped["decoder_conf"].pop("lora", None) if "decoder" in given else None
    model = assemble(shaped, tokenizer, ctc_tokens, tasks, empty=given)
    source = read_stored(folder).model
    for slot in given:
        _place(model, source, slot, folder)
    if lora is not None:
        model.decoder.add_lora(lora)
    freeze(model, config["freeze_param"])
    store_decoder(model.decoder, frozen_dtype)
    for param in model.parameters():
        if param.requires_grad:
            param.data = param.data.clone()  # not in the file's pages
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
    told = {f"{slot}.{name}" for name in GIVEN.get(slot, ())}  # no weights: ctc.token_ids are the new run's
    wanted, given = (
        {
            name: held
            for name, held in whole.state_dict(keep_vars=True).items()
            if name.startswith(f"{slot}.") and name not in told
        }
        for whole in (model, source)
    )
    missing, surplus = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    other = sorted(n for n in wanted.keys() & given.keys() if wanted[n].shape != given[n].shape)
    for what, names in (("lacks", missing), ("has left over", surplus), ("has another shape of", other)):
        if names:
            raise ValueError(
                f"init: {folder} {what} {len(names)} tensors of {slot} ({', '.join(names[:3])}); give {slot}_conf the"
                f" options it was trained with, or another component, which starts anew"
            )
    for names in tied_names(model):
        if names[0] in wanted:
            tensor = given[names[0]].detach()
            if tensor.is_floating_point() and slot != "decoder":  # whose type store_decoder chooses
                tensor = tensor.float()
            fill(model, names, tensor, wanted[names[0]].requires_grad)
