import pytest
import torch

from qwen_audio.bin import train as command
from qwen_audio.cli import run


@pytest.mark.parametrize("there, asked", [(0, 1), (2, 4)])
def test_more_gpus_than_there_are_end_with_both_numbers_on_one_line(monkeypatch, there, asked):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    argv = ["--config", "c.yaml", "--train", "s", "--output", "o", "--ngpu", str(asked)]
    with pytest.raises(SystemExit) as ended:
        run("train", argv)
    message = str(ended.value)
    assert f"--ngpu {asked}: torch" in message and f"finds {there} GPUs" in message and "\n" not in message


@pytest.mark.parametrize("asked, processes", [(2, None), (1, 2), (4, 2)])
def test_gpus_are_as_many_as_processes_or_the_command_that_starts_these_is_said(
    monkeypatch, asked, processes
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    with pytest.raises(SystemExit) as ended:
        run("train", ["--config", "c.yaml", "--train", "s", "--output", "o", "--ngpu", str(asked)])
    message = str(ended.value)
    assert f"--ngpu {asked} needs {asked} processes, not {processes or 1}: python -m torch.dist" in message
    assert message.endswith(f"--nproc_per_node {asked} -m qwen_audio train ...") and "\n" not in message


def refusal(monkeypatch, dtype="float32"):
    """What training on the one GPU here says; nothing is trained."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(command, "train", lambda *_: None)
    monkeypatch.setattr(command, "read_config", lambda _: {"train_dtype": dtype})
    with pytest.raises(SystemExit) as ended:
        run("train", ["--config", "c.yaml", "--train", "s", "--output", "o", "--ngpu", "1"])
    return str(ended.value)


def test_a_gpu_that_torch_counts_but_cannot_use_ends_with_the_reason_on_one_line(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "device_fault", lambda gpu: asked.append(gpu) or "the driver is too old")
    monkeypatch.setenv("LOCAL_RANK", "3")
    said = "qwen-audio train: --ngpu 1: cuda:3: the driver is too old; write --ngpu 0 to train on the CPU"
    assert refusal(monkeypatch) == said and asked == ["cuda:3"]


def test_training_in_bfloat16_is_refused_on_a_gpu_without_it(monkeypatch):
    monkeypatch.setattr(command, "device_fault", lambda gpu: "")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    said = "train_dtype is bfloat16, which cuda:0 does not have; write train_dtype: float32"
    assert refusal(monkeypatch, "bfloat16") == f"qwen-audio train: {said}"
