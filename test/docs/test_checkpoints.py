"""docs/checkpoints.md, run from top to bottom on random models in the layouts of released ones."""

import argparse
import importlib
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwen_audio import cli
from qwen_audio.tags import RELEASED

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/checkpoints.md"
sys.path.insert(0, str(ROOT / "test/qwen_audio/interop"))


def pieces(page: str) -> list[tuple[str, str]]:
    """(kind, content) of the page's commands and code blocks, in order."""
    found = []
    for match in re.finditer(
        r"^```(\w+)\n(.*?)^```|^    (qwen-audio [^\n]*)$", page, re.MULTILINE | re.DOTALL
    ):
        kind, block, command = match.groups()
        found.append((kind, block) if kind else ("command", command))
    return found


def kaldi(folder: Path, clips: Path, numbers: range) -> None:
    folder.mkdir(parents=True)
    lines = {"wav.scp": "", "text": "", "utt2spk": ""}
    for n in numbers:
        wave = np.random.default_rng(n).normal(0, 0.1, 4000 + 400 * n)
        soundfile.write(clips / f"utt{n}.wav", wave, 16000)
        lines["wav.scp"] += f"utt{n} {clips / f'utt{n}.wav'}\n"
        lines["text"] += f"utt{n} press one to hear it\n"
        lines["utt2spk"] += f"utt{n} anna\n"
    for name, text in lines.items():
        (folder / name).write_text(text)


@pytest.fixture
def workplace(tiny_whisper, tiny_llm, tmp_path, monkeypatch):
    """A folder with what the page takes for granted."""
    import qwen_layouts

    (tmp_path / "checkpoints").mkdir()
    ranks = qwen_layouts.ranks_of(tiny_llm)
    qwen_layouts.write_checkpoint(tmp_path / "checkpoints/Qwen-Audio", ranks, len(RELEASED), audio=True)
    shutil.copytree(tiny_whisper, tmp_path / "checkpoints/whisper")
    shutil.copytree(tiny_llm, tmp_path / "checkpoints/llm")
    (tmp_path / "clips").mkdir()
    kaldi(tmp_path / "data/my_train", tmp_path / "clips", range(4))
    kaldi(tmp_path / "data/my_valid", tmp_path / "clips", range(4, 6))
    shutil.copy(tmp_path / "clips/utt5.wav", tmp_path / "clip.wav")
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_page_runs_in_its_order(workplace, capsys):
    ran = []
    for kind, content in pieces(PAGE.read_text(encoding="utf-8")):
        if kind == "yaml":
            name = content.partition("\n")[0].removeprefix("# ")
            (workplace / name).write_text(content + "num_workers: 0\nnum_threads: 1\n")
        elif kind == "python":
            exec(compile(content, str(PAGE), "exec"), {})
        else:
            _, name, *arguments = shlex.split(content)
            cli.run(name, arguments)
        ran.append(content.split()[1] if kind == "command" else kind)
    assert ran.count("export") == 3 and {"python", "yaml", "train", "ask", "info", "decode"} <= set(ran)
    shared = (workplace / "models/shared/model.safetensors").read_bytes()
    assert shared == (workplace / "exp/tuned/model.safetensors").read_bytes()
    assert (workplace / "models/again/model.safetensors").is_file()


def test_the_page_names_every_command_that_can_quantise():
    able = set()
    for name in cli.commands():
        parser = argparse.ArgumentParser()
        importlib.import_module(f"qwen_audio.bin.{cli._module(name)}").add_arguments(parser)
        if "--quantize" in parser._option_string_actions:
            able.add(name)
    sentence = re.search(r"^`--device`.* are of (.*?)\.", PAGE.read_text(encoding="utf-8"), re.M | re.S)[1]
    assert set(re.findall(r"`(\w+)`", sentence)) == able
