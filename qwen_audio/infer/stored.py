"""A model folder's model without its weights, at no cost, or with them as they are stored."""

import json
from dataclasses import dataclass
from pathlib import Path

from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.infer.weights import empty_parameters, merge_lora, place
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import CONFIG, RUN, TOKENIZER, WEIGHTS, shaped_by, tied_names
from qwen_audio.tokenizer import Tokenizer


@dataclass(frozen=True)
class StoredModel:
    """What stands in a model folder.

    Attributes:
        model: its parameters are on torch's meta device (read_skeleton) or pages of the file (read_stored).
        run: content of run.json.
    """

    model: AudioLLM
    tokenizer: Tokenizer
    config: dict
    run: dict

    def parameters(self) -> dict[str, list[str]]:
        """Names of the model's tensors; under the first name of each those that are tied to it."""
        return {names[0]: names[1:] for names in tied_names(self.model)}

    def embeddings(self) -> tuple[str, str | None]:
        """Names of the LLM's input embedding and of its output projection; None where that is the same."""
        by_tensor = {id(p): name for name, p in self.model.named_parameters()}
        lm = self.model.decoder.lm
        rows, head = lm.get_input_embeddings().weight, lm.get_output_embeddings().weight
        return by_tensor[id(rows)], None if head is rows else by_tensor[id(head)]


def read_skeleton(folder: str | Path) -> StoredModel:
    """The model without its weights. Raises: ValueError if the folder is none that export_model or an import wrote."""
    folder = Path(folder)
    for name in (CONFIG, RUN):
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name} is missing; name the folder of a trained or imported model")
    config = load_config(folder / CONFIG)
    run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    tokenizer = Tokenizer(folder / TOKENIZER)
    with empty_parameters():
        model = build_model(
            shaped_by(config, folder), tokenizer, run["ctc_tokens"], max(len(run["tasks"]), 1)
        )
    return StoredModel(model, tokenizer, config, run)


def read_stored(folder: str | Path) -> StoredModel:
    """The same with its weights: pages of the file, in its types, read when they are used; LoRA matrices merged.

    Raises: ValueError as read_skeleton, and if a tensor is missing, left over or of another shape.
    """
    built, weights = read_skeleton(folder), Path(folder) / WEIGHTS
    if not weights.is_file():
        raise ValueError(f"{weights} is missing; stage 5 writes it (the folder of a trained run)")
    place(built.model, weights)
    merge_lora(built.model)
    return built
