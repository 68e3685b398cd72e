"""Model folders of ours as a source: whole ones, and what an export carries of them beside its weights."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from qwen_audio.backbone import resolve
from qwen_audio.interop.name_map import NameMap
from qwen_audio.interop.part import Part
from qwen_audio.interop.shards import NAMES
from qwen_audio.model_folder import CONFIG, DECODE, RUN, TOKENIZER, WEIGHTS

HOME = "qwen_audio"  # subfolder of an export: a model folder without weights
SOURCE = "SOURCE.json"  # where imported weights came from, with hashes
FILES = (CONFIG, RUN, DECODE, SOURCE, TOKENIZER, "encoder", "decoder")  # no logs, checkpoints, decoded text
PACKED, ARCHIVE = "model.pth", "model.tar"  # of a pack: its weights, and its own name
# weights of other frameworks, and copies of the same ones
UNREAD = ["*.h5", "*.msgpack", "*.ot", "*.onnx*", "*.gguf", "*fp32*", "original/*"]
AS_THEY_ARE = NameMap({"{rest}": "{rest}"})


def matches(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (CONFIG, RUN, WEIGHTS))


def read(folder: Path) -> Part:
    return Part("model folder", folder, [folder / WEIGHTS], AS_THEY_ARE, {}, home=folder)


def is_pack(path: Path) -> bool:
    return path.is_file() and path.name.endswith((".tar", ".tar.gz", ".tgz", ".zip"))


def read_pack(path: Path, target: Path, done: ExitStack) -> Part:
    """A pack as to_espnet.py writes it, unpacked beside ``target``, the folder to write, until ``done`` closes.

    Raises:
        ValueError: if it holds no model folder of ours.
    """
    from espnet2.main_funcs.pack_funcs import unpack

    target.parent.mkdir(parents=True, exist_ok=True)  # not in /tmp, which may be smaller than the weights
    scratch = tempfile.TemporaryDirectory(prefix=".unpacked_", dir=target.parent)
    folder = Path(done.enter_context(scratch))
    unpack(path, folder)
    if not (folder / HOME / RUN).is_file():
        raise ValueError(
            f"{path} was not packed here; unpack it, and name the folder of its .pth file for the encoder"
        )
    return Part("ESPnet pack", path, [folder / PACKED], AS_THEY_ARE, {}, home=folder / HOME)


def fetch(name: str, weights: bool = True) -> Path:
    """The folder ``name``, or that of the hub's model ``name``, downloaded.

    A hub's repository often holds the same weights several times: those that are not read here stay there, and .bin
    files too where there are safetensors.

    Args:
        weights: False leaves them all.
    """
    folder = Path(resolve(name))
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    plain = [*UNREAD, "*.bin"]
    if not weights:
        return Path(snapshot_download(name, ignore_patterns=[*plain, "*.safetensors", "*.pth"]))
    folder = Path(snapshot_download(name, ignore_patterns=plain))
    if not any(folder.glob(f"{NAMES[0]}*")):
        folder = Path(snapshot_download(name, ignore_patterns=UNREAD))
    return folder


def check_apart(source: Path, folder: Path) -> None:
    """Raises: ValueError if the folder to write is the one that is read."""
    if source.resolve() == folder.resolve():
        raise ValueError(f"{folder} is the source itself; name another folder to write")


def copy_files(source: Path, folder: Path) -> None:
    """Copy what a model folder is besides its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(source / name, folder / name)
        elif (source / name).is_file():
            shutil.copy(source / name, folder / name)


def copy_home(source: Path, folder: Path) -> Path:
    """Copy that into the subfolder of an export, so that importing it gives the same model folder again."""
    home = folder / HOME
    shutil.rmtree(home, ignore_errors=True)
    copy_files(source, home)
    return home
