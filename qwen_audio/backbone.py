"""Where a pretrained model lies: a folder, one of tools/backbones, or a name on the hub."""

from pathlib import Path

from qwen_audio.checkout import ROOT

BUILT = "tools/backbones/"


def resolve(model: str) -> str:
    """The folder that ``model`` names, seen from here or from the project's root; else ``model``, a hub name.

    The config.json of a folder names it too: ESPnet's packs know files alone.

    Raises:
        ValueError: if it names a folder of tools/backbones that is not built, or a path that does not exist.
    """
    if Path(model).name == "config.json" and Path(model).is_file():
        return str(Path(model).parent)
    for base in (Path(), ROOT):
        if (base / model).is_dir():
            return str(base / model)
    if model.startswith(BUILT):
        raise ValueError(f"{model} is not built; run tools/backbones.py {model.removeprefix(BUILT)}")
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ValueError(f"no such folder: {model}")
    return model
