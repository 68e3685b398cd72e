import importlib
import subprocess
import sys

import pytest
import torch

from qwen_audio import cli


def test_an_unknown_command_names_the_nearest(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qwen-audio", "tokenise"])
    with pytest.raises(SystemExit, match="unknown command 'tokenise'; did you mean 'tokenize'"):
        cli.main()


@pytest.mark.parametrize("name", ["check-leak", "check_leak"])
def test_a_command_may_be_written_with_a_hyphen(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["qwen-audio", name, "--help"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0 and "usage: qwen-audio check_leak" in capsys.readouterr().out


def test_a_command_runs_without_the_console_script():
    command = [sys.executable, "-m", "qwen_audio", "tags", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: qwen-audio tags")


def test_a_fault_of_the_input_is_one_line_and_a_traceback_only_under_debug(tmp_path):
    with pytest.raises(SystemExit, match=r"^qwen-audio config: .*gone\.yaml: no such configuration file$"):
        cli.run("config", [str(tmp_path / "gone.yaml")])
    with pytest.raises(ValueError, match="no such configuration file"):
        cli.run("config", [str(tmp_path / "gone.yaml"), "--debug"])


def test_an_error_of_the_system_names_the_file_and_no_number(tmp_path):
    with pytest.raises(OSError) as error:
        open(tmp_path / "gone.jsonl")
    assert cli.one_line(error.value) == f"{tmp_path}/gone.jsonl: No such file or directory"
    assert cli.one_line(ValueError("a\n  b")) == "a b"


@pytest.mark.parametrize(
    "name, argv, way_out",
    [
        ("train", ["--config", "c", "--train", "s", "--output", "o"],
         "write into the configuration a larger split_parts, which computes the same batch in more pieces,"
         " decoder_conf.gradient_checkpointing: true, or, for several GPUs, trainer: deepspeed; the run goes on"),
        ("decode", ["--model", "m", "--sets", "s", "--output", "o"],
         "lower batch_conf.max_seconds in the inference configuration, or write --dtype bfloat16 or --quantize 8bit"),
        ("make_sft", ["--data", "d", "--out", "o"], "write --device cpu"),
    ],
)  # fmt: skip
def test_a_full_gpu_is_one_line_that_names_the_way_out(name, argv, way_out, monkeypatch):
    said = (
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of which 1.25 GiB"
        " is free. Process 7 has 14.52 GiB memory in use.\nSee the documentation for PYTORCH_CUDA_ALLOC_CONF"
    )

    def main(args):
        raise torch.OutOfMemoryError(said)

    monkeypatch.setattr(importlib.import_module(f"qwen_audio.bin.{name}"), "main", main)
    with pytest.raises(SystemExit) as end:
        cli.run(name, argv)
    assert str(end.value) == f"qwen-audio {name}: {said.partition('. Process')[0]}; {way_out}"
    with pytest.raises(torch.OutOfMemoryError):
        cli.run(name, [*argv, "--debug"])


@pytest.mark.parametrize("name", cli.commands())
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.run(name, ["--help"])
    assert end.value.code == 0
    assert f"qwen-audio {name} " in capsys.readouterr().out.split("options:")[0].split("\n\n", 1)[1]


def test_the_usage_lists_every_command():
    assert all(f"  {name} " in cli.usage() for name in cli.commands())
