"""The stages' shell on machines with GPUs, which commands of the fixture stand for."""

import os
import sys

import pytest
from shell_recipe import configure_chat

GPU = "GPU 0: NVIDIA H100 (UUID: GPU-1)"


def gpu_of(recipe, lists, usable):
    """PATH of a machine where nvidia-smi ``lists`` this, and torch can use it or gives its reason."""
    (recipe.folder / "bin").mkdir()
    (recipe.folder / "bin/nvidia-smi").write_text(f'#!/bin/sh\necho "{lists}"\n')
    (recipe.folder / "bin/nvidia-smi").chmod(0o755)
    answer = "" if usable else "the driver is too old"
    (recipe.folder.parents[1] / "tools/venv/bin/python").write_text(
        f'#!/bin/sh\ncase "$*" in *device_fault*) echo asked >> asked; echo "{answer}"; exit ;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    return f"{recipe.folder}/bin:{os.environ['PATH']}"


@pytest.mark.parametrize(
    "lists, usable, ngpu, asked",
    [(GPU, True, 1, True), (GPU, False, 0, True), ("No devices found.", True, 0, False)],
)
def test_a_gpu_is_taken_by_itself_if_torch_can_use_it(recipe, lists, usable, ngpu, asked):
    status, output, called = recipe.run("--stop_stage", "4", PATH=gpu_of(recipe, lists, usable))
    assert status == 0, output
    assert called[-1].startswith("train ") and called[-1].endswith(f"--ngpu {ngpu}")
    said = "the GPU is left alone, torch cannot use it: the driver is too old"
    assert (said in output) == (asked and not usable)
    assert (recipe.folder / "asked").exists() == asked  # without a GPU torch is not loaded for it


def test_on_a_gpu_decoding_takes_the_type_that_is_fast_there_unless_told_otherwise(recipe):
    configure_chat(recipe)
    options = ["--word_heads", "ctc", "--word_args", "--dtype float32", "--whisper", "tiny", "--nj", "2"]
    found = {line.split()[0]: line for line in recipe.run(*options, "--ngpu", "1")[2]}
    place = " --device cuda --dtype auto"
    assert all(place in found[name] for name in ("decode", "time_words", "answer"))
    assert found["time_words"].endswith("--dtype float32")
    assert found["score"].endswith("--whisper tiny --num_threads 2 --device cuda")
    found = {line.split()[0]: line for line in recipe.run(*options, "--ngpu", "0", "--tag", "b")[2]}
    assert all("--device cpu" in found[name] for name in ("decode", "time_words", "answer", "score"))
    assert not any("--dtype auto" in line for line in found.values())
