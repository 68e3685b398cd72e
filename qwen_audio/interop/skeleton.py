"""A model folder's model without its weights: every name, shape and number at no cost."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import CONFIG, RUN, TOKENIZER, shaped_by
from qwen_audio.tokenizer import Tokenizer


@dataclass(frozen=True)
class Skeleton:
    """What stands in a model folder besides its weights.

    Attributes:
        model: on torch's meta device.
        run: content of run.json.
    """

    model: AudioLLM
    tokenizer: Tokenizer
    config: dict
    run: dict

    def parameters(self) -> dict[str, list[str]]:
        """Names of the model's tensors; under the first name of each those that are tied to it."""
        by_tensor, names = {}, {}
        held = [*self.model.named_parameters(remove_duplicate=False)]
        held += [*self.model.named_buffers(remove_duplicate=False)]
        stored = self.model.state_dict()
        for name, tensor in held:
            if name in stored:
                first = by_tensor.setdefault(id(tensor), name)
                names.setdefault(first, []).append(name)
        return {first: tied[1:] for first, tied in names.items()}

    def embeddings(self) -> tuple[str, str | None]:
        """Names of the LLM's input embedding and of its output projection; None where that is the same."""
        by_tensor = {id(p): name for name, p in self.model.named_parameters()}
        lm = self.model.decoder.lm
        rows, head = lm.get_input_embeddings().weight, lm.get_output_embeddings().weight
        return by_tensor[id(rows)], None if head is rows else by_tensor[id(head)]


def read_skeleton(folder: str | Path) -> Skeleton:
    """Raises: ValueError if the folder is none that export_model or an import wrote."""
    folder = Path(folder)
    for name in (CONFIG, RUN):
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name} is missing; name the folder of a trained or imported model")
    config = load_config(folder / CONFIG)
    run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    tokenizer = Tokenizer(folder / TOKENIZER)
    with torch.device("meta"):
        model = build_model(
            shaped_by(config, folder), tokenizer, run["ctc_tokens"], max(len(run["tasks"]), 1)
        )
    return Skeleton(model, tokenizer, config, run)
