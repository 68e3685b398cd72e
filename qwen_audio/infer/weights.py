"""Weights of a model folder into a model that was built without any: no tensor is in memory twice."""

import contextlib
import functools
from operator import attrgetter
from pathlib import Path

import torch
from safetensors import safe_open

from qwen_audio.model_folder import CONFIG, tied_names


@contextlib.contextmanager
def empty_parameters():
    """Modules made inside have parameters without memory, on torch's meta device; their buffers are real."""
    register = torch.nn.Module.register_parameter

    def without_memory(module, name, parameter):
        if parameter is not None and not parameter.is_meta:  # a tied one is registered again, and stays tied
            parameter = torch.nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
        register(module, name, parameter)

    torch.nn.Module.register_parameter = without_memory
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register


def place(model: torch.nn.Module, path: Path) -> None:
    """Give ``model``, made under ``empty_parameters``, the tensors of the file: pages of it, read when they are used.

    Raises:
        ValueError: if a tensor is missing, left over or of another shape; names the first few.
    """
    state = model.state_dict()
    groups = tied_names(model)
    with safe_open(path, "pt") as stored:
        found = set(stored.keys())
        missing = [names[0] for names in groups if not found & set(names)]
        surplus = sorted(found - set(state))
        if missing or surplus:
            raise ValueError(
                f"{path} does not fit its {CONFIG}: {_some('missing', missing)},"
                f" {_some('left over', surplus)}; export the run again"
            )
        for names in groups:
            name = next(name for name in names if name in found)
            tensor = stored.get_tensor(name)
            if tensor.shape != state[name].shape:
                raise ValueError(
                    f"{path}: {name} is {tuple(tensor.shape)}, {CONFIG} builds {tuple(state[name].shape)};"
                    " export the run again"
                )
            fill(model, names, tensor)


def fill(model: torch.nn.Module, names: list[str], tensor: torch.Tensor, requires_grad: bool = False) -> None:
    """Make ``tensor`` the parameter of all ``names``, which are tied; what has memory of its own takes its values."""
    old = attrgetter(names[0])(model)
    if old.is_meta:
        parameter = torch.nn.Parameter(tensor, requires_grad)
        for name in names:
            _put(model, name, parameter)
    else:
        old.data.copy_(tensor)


def merge_lora(model: torch.nn.Module) -> None:
    """Add LoRA matrices to the weights they belong to: the same function with a third of the products.

    The sum is of the wider type: in half precision, as of a frozen LLM, little would be left of what LoRA learned.
    """
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if hasattr(layer, "lora_A"):
                base, types = layer.get_base_layer(), {param.dtype for param in layer.parameters()}
                base.weight.data = base.weight.data.to(functools.reduce(torch.promote_types, types))
                layer.merge()
                setattr(parent, name, base)


def settle(model: torch.nn.Module, decoder_dtype: torch.dtype) -> None:
    """Turn pages of the file into tensors, one after another: those of the decoder in its type, others in float32.

    Quantised weights stay as they are, and so do buffers: rotary angles are computed in float32 as in training.
    """
    copies: dict[int, tuple[torch.nn.Parameter, torch.nn.Parameter]] = {}
    for name, page in list(model.named_parameters(remove_duplicate=False)):
        if type(page) is not torch.nn.Parameter:  # quantised
            continue
        if id(page) not in copies:
            dtype = decoder_dtype if name.startswith("decoder.") else torch.float32
            copy = torch.nn.Parameter(page.detach().to(dtype, copy=True), requires_grad=False)
            copies[id(page)] = page, copy  # the page too, so that no other gets its id
        _put(model, name, copies[id(page)][1])


def _put(model: torch.nn.Module, name: str, parameter: torch.nn.Parameter) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, parameter)


def _some(what: str, names: list[str]) -> str:
    return f"{len(names)} tensors {what}" + (
        f" ({', '.join(names[:3])}{', …' * (len(names) > 3)})" if names else ""
    )
