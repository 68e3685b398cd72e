"""From a configuration to a model: the one place where components are put together."""

import contextlib
from collections.abc import Sequence

import torch
from typeguard import TypeCheckError  # of ESPnet's components

from qwen_audio.config import GIVEN
from qwen_audio.data.packing import FramesOf
from qwen_audio.infer.weights import empty_parameters
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import backbones, shaped_by_init
from qwen_audio.registry import component_class
from qwen_audio.tokenizer import Tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # that configurations and options name
KEPT_WHEN_FROZEN = "decoder.new_"  # rows of new tokens train even where the LLM around them is frozen


def fast_dtype(device: str) -> str:
    """``bfloat16`` where the device multiplies it faster than float32, else ``float32``.

    On a CPU with AVX512-BF16 the products of a 135 M LLM take a quarter to a third of the time, from 8 rows on.
    """
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if torch.backends.mkldnn.is_available() and _cpu_has_bf16() else "float32"


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def build_model(
    config: dict,
    tokenizer: Tokenizer,
    ctc_tokens: Sequence[int] = (),
    tasks: int = 1,
    frozen_dtype: torch.dtype | None = torch.float32,
) -> AudioLLM:
    """The model that ``config`` (see qwen_audio/config.py) describes, frozen where it says so.

    Args:
        ctc_tokens: token ids the CTC component can emit (stage 3 counts them).
        tasks: number of tasks in the statistics.
        frozen_dtype: of the decoder's frozen weights: in bf16 half the memory, and no cast in every step. None keeps
            the type they are stored in.

    Raises:
        ValueError: naming the key, where a component is missing, its options do not fit, or
            ``freeze_param`` matches no parameter.
    """
    model = assemble(config, tokenizer, ctc_tokens, tasks)
    freeze(model, config["freeze_param"])
    store_decoder(model.decoder, frozen_dtype)
    return model


def assemble(
    config: dict, tokenizer: Tokenizer, ctc_tokens: Sequence[int], tasks: int, empty: Sequence[str] = ()
) -> AudioLLM:
    """The same, nothing frozen, in the types the weights are stored in; slots of ``empty`` have none of theirs."""

    def make(slot: str, *given):
        with empty_parameters() if slot in empty else contextlib.nullcontext():
            return _component(config, slot, *given)

    frontend = make("frontend")
    encoder = make("encoder", frontend.output_size())
    if getattr(encoder, "pad_to", None):
        frontend.pad_to = encoder.pad_to  # silence is silence in samples, not in features
    decoder = make("decoder", tokenizer.base_size, tokenizer.new_tokens)
    adapter = make("adapter", encoder.output_size(), decoder.hidden_size)
    ctc = make("ctc", decoder.hidden_size, list(ctc_tokens))
    name = config["timestamp_head"]
    trained = name is not None and issubclass(component_class("timestamp_head", name), torch.nn.Module)
    timestamp_head = make("timestamp_head", encoder.output_size(), tokenizer) if trained else None
    specaug, placeholder = make("specaug"), tokenizer.placeholder
    return AudioLLM(frontend, specaug, encoder, adapter, ctc, decoder, timestamp_head, placeholder, tasks)


def feature_channels(config: dict) -> int:
    """Channels of the features that the encoder of ``config`` gets from its frontend."""
    return _component(config, "frontend").output_size()


def frame_counter(config: dict) -> FramesOf:
    """``frames_of`` of the model that ``build_model`` makes of ``config``, without reading any pretrained weights."""
    shaped, pretrained = shaped_by_init(config), "encoder" in backbones(config)
    if pretrained:
        shaped = {**shaped, "encoder_conf": {**shaped["encoder_conf"], "pretrained": False}}
    frontend = _component(shaped, "frontend")
    with torch.device("meta" if pretrained else "cpu"):
        encoder = _component(shaped, "encoder", frontend.output_size())
    # for counting frames the width is all one
    adapter = _component(shaped, "adapter", encoder.output_size(), encoder.output_size())
    return AudioLLM(frontend, None, encoder, adapter, None, None, None, placeholder=0).frames_of


def _component(config: dict, slot: str, *given):
    name, options = config[slot], config[f"{slot}_conf"]
    if name is None:
        return None
    try:
        return component_class(slot, name)(**dict(zip(GIVEN.get(slot, ()), given)), **options)
    except (TypeError, TypeCheckError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{slot}_conf {options}: no {name} can be made with these options: {reason}"
        ) from error


def freeze(model: torch.nn.Module, prefixes: list[str]) -> None:
    """Freeze the parameters whose names begin with one of ``prefixes``; rows of new tokens stay trained.

    Raises:
        ValueError: if a prefix matches nothing.
    """
    names = dict(model.named_parameters())
    for prefix in prefixes:
        matched = [name for name in names if name == prefix or name.startswith(prefix + ".")]
        if not matched:
            roots = sorted({name.split(".")[0] for name in names})
            raise ValueError(
                f"freeze_param: {prefix!r} names no parameter; they begin with {', '.join(roots)}"
            )
        for name in matched:
            kept = name.startswith(KEPT_WHEN_FROZEN) and not prefix.startswith(KEPT_WHEN_FROZEN)
            if not kept and ".lora_" not in name:
                names[name].requires_grad_(False)


def store_decoder(decoder: torch.nn.Module, frozen_dtype: torch.dtype | None) -> None:
    """Keep what is trained of the decoder in float32 and the rest in ``frozen_dtype``, one tensor after another.

    None leaves the rest in the type it has.
    """
    for param in decoder.parameters():
        if param.is_floating_point():  # quantised ones are integers
            param.data = param.data.to(torch.float32 if param.requires_grad else frozen_dtype or param.dtype)
