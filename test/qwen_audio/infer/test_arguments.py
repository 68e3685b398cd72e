import argparse
import os
from pathlib import Path

import pytest
import torch

from qwen_audio.cli import run
from qwen_audio.infer.arguments import add_place_arguments, check_device, check_names, label_of


def test_a_label_tells_other_weights_and_other_bits_from_these(tmp_path):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    add_place_arguments(parser)
    (tmp_path / "model.safetensors").write_text("weights")
    plain = label_of(parser.parse_args(["--model", str(tmp_path)]))
    few = label_of(parser.parse_args(["--model", str(tmp_path), "--quantize", "4bit"]))
    assert plain == label_of(parser.parse_args(["--model", str(tmp_path), "--device", "cuda"])) != few
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    assert label_of(parser.parse_args(["--model", str(tmp_path)])) not in (plain, few)


def test_sets_of_one_name_cannot_be_told_apart_in_the_output():
    check_names([Path("a/one"), Path("a/two")])
    with pytest.raises(ValueError, match="--sets a/one b/one: two have the same name; take two calls"):
        check_names([Path("a/one"), Path("b/one")])


DEVICE = "cuda:99"  # no machine has so many
COMMANDS = {
    "answer": ["--model", "exp", "--sets", "dialogues", "--output", "out"],
    "ask": ["exp", "What is said?"],
    "chat": ["exp"],
    "serve": ["exp"],
    "decode": ["--model", "exp", "--output", "out", "--language", "en", "--audio", __file__],
    "pick_heads": ["--model", "exp", "--set", "dump"],
    "align": ["--data", "data", "--aligner", "model", "--model", "exp"],
    "score": ["--results", "out", "--decoded", "decode:dump", "--whisper", "tiny"],
    "make_sft": ["--data", "dump", "--out", "out", "--source", "llm", "--model", "llm"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_device_that_is_not_there_is_told_before_a_model_is_loaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dialogues").mkdir()
    (tmp_path / "dialogues" / "dialogues.jsonl").write_text("")
    with pytest.raises(SystemExit, match=f"--device {DEVICE}: [^\n]+; write --device cpu, cuda or cuda:N$"):
        run(name, [*COMMANDS[name], "--device", DEVICE])


def test_a_device_that_holds_tensors_but_computes_nothing_is_told_on_one_line(monkeypatch):
    def refuse(self, other):
        raise torch.AcceleratorError("CUDA error: no kernel image is available\nFor debugging ...")

    check_device("cpu")
    monkeypatch.setattr(torch.Tensor, "add_", refuse)
    with pytest.raises(
        ValueError, match="^--device cpu: CUDA error: no kernel image is available; write [^\n]*$"
    ):
        check_device("cpu")
