"""The tensors of a model folder in the types they are stored in, LoRA merged."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from qwen_audio.infer.load import load_model
from qwen_audio.interop.skeleton import Skeleton
from qwen_audio.model_folder import WEIGHTS


def stored_tensors(folder: Path, built: Skeleton) -> dict[str, Tensor]:
    """By our names, tied ones once.

    Raises:
        ValueError: as load_model, and if the file is missing.
    """
    if (built.config["decoder_conf"].get("lora")) is None:
        if not (folder / WEIGHTS).is_file():
            raise ValueError(f"{folder / WEIGHTS} is missing; stage 5 writes it")
        return load_file(folder / WEIGHTS)
    state = load_model(folder).model.state_dict()
    names = {name.replace(".base_layer.", ".") for name in built.parameters() if ".lora_" not in name}
    return {name: tensor for name, tensor in state.items() if name in names}
