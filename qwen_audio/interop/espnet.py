"""The encoder of an ESPnet checkpoint: a folder with config.yaml and one .pth file, as its recipes leave them.

What surrounds it stays behind, its frontend and feature statistics too: features here are Whisper's log-mel.
The weights are a start for training, not a model that hears as before, unless they are Whisper's own.
"""

from pathlib import Path

import torch
import yaml

from qwen_audio.interop.name_map import NameMap, under
from qwen_audio.interop.part import Part, encoder_shape
from qwen_audio.interop.qwen_audio import ENCODER
from qwen_audio.registry import nearest

CONFIG = "config.yaml"
HEAD = 64  # width of an attention head, in every Whisper
OURS = {"conformer": "conformer", "e_branchformer": "e_branchformer", "whisper": "whisper"}
OTHERS = {"{rest}": ""}  # frontend, normalize, ctc, decoder
WHISPER = under("encoder.encoders.", ENCODER | {"ln_post.{part}": "layer_norm.{part}"}, "encoder.") | OTHERS


def matches(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and any(folder.glob("*.pth"))


def read(folder: Path) -> Part:
    """The encoder of the checkpoint in ``folder``.

    Raises:
        ValueError: if there are several .pth files, or the encoder is none that exists here.
    """
    found = sorted(folder.glob("*.pth"))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ValueError(f"{folder} holds {names}; leave the one to import in a folder with its {CONFIG}")
    content = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    name, options = content.get("encoder"), dict(content.get("encoder_conf") or {})
    if name not in OURS:
        raise ValueError(f"{folder / CONFIG}: encoder {name!r} does not exist here{nearest(str(name), OURS)}")
    slots = {"frontend": "log_mel", "encoder": OURS[name], "adapter": "pool_linear"}
    if name != "whisper":
        mels = (content.get("frontend_conf") or {}).get("n_mels", 80)
        slots |= {"frontend_conf": {"n_mels": mels}, "encoder_conf": options, "adapter_conf": {"stride": 1}}
        table = NameMap({"encoder.{rest}": "encoder.{rest}"} | OTHERS)
        return Part(f"ESPnet {name}", folder, found, table, slots)
    state = torch.load(found[0], "cpu", weights_only=True, mmap=True)
    width, mels, _ = state["encoder.encoders.conv1.weight"].shape
    if width % HEAD:
        raise ValueError(
            f"{found[0]}: encoder.encoders.conv1.weight is {width} wide; Whisper's are multiples of {HEAD}"
        )
    positions = len(state["encoder.encoders.positional_embedding"])
    layers = sum(
        key.startswith("encoder.encoders.blocks.") and key.endswith(".attn.key.weight") for key in state
    )
    shape = encoder_shape(mels, width, layers, width // HEAD, 4 * width, positions)
    slots |= {"frontend_conf": {"n_mels": mels}, "adapter_conf": {"stride": 2}}
    slots["encoder_conf"] = {"pad_to": 30} if options.get("do_pad_trim") else {}
    return Part(f"ESPnet {name}", folder, found, NameMap(WHISPER), slots, {"encoder": shape})
