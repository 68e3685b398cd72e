"""The stages' shell on machines with GPUs, and on several machines; commands of the fixture stand for them."""

import os
import sys

import pytest
from shell_recipe import CONFIG, configure_chat, names, write_bench

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


# the second of two decoding processes lets the first one go on
MEET = """if [[ $1 == decode ]]; then
    mkdir first 2>/dev/null || touch second
    for ((n = 0; n < 600; n++)); do [[ -e second ]] && break; sleep 0.05; done
fi
"""


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


def test_several_gpus_decode_a_set_each_at_the_same_time(recipe):
    sets = ["--corpora", "one two", "--inference_args", "--tasks asr lid"]
    recipe.run(*sets, "--stop_stage", "6", "--ngpu", "0")
    command = recipe.folder.parents[1] / "tools/venv/bin/qwen-audio"
    command.write_text(command.read_text().replace("#!/bin/bash\n", "#!/bin/bash\n" + MEET))
    status, output, called = recipe.run(*sets, "--stage", "7", "--ngpu", "2")
    assert status == 0, output
    assert (recipe.folder / "second").exists()
    folders = "--model exp/pretrain_default --output exp/pretrain_default/decode"
    assert names(called) == ["decode", "decode", "score"]
    assert {line.partition(" --sets ")[0] for line in called[:2]} == {
        f"decode --device cuda:{gpu} {folders} --dtype auto --tasks asr lid" for gpu in (0, 1)
    }
    assert {line.partition(" --sets ")[2] for line in called[:2]} == {
        "dump/tokens/one_test",
        "dump/tokens/two_test",
    }
    assert recipe.run(*sets, "--ngpu", "2")[2] == []


def test_where_one_gpu_fails_to_decode_the_stage_is_broken_off_and_done_again(recipe):
    sets = ["--corpora", "one two"]
    recipe.run(*sets, "--stop_stage", "6", "--ngpu", "0")
    status, output, called = recipe.run(*sets, "--stage", "7", "--ngpu", "2", BREAK="--sets .*one_test")
    assert status != 0 and "qwen-audio: broken" in output and "broken off after" in output
    assert names(called) == ["decode", "decode"]  # what the other wrote is found again
    assert names(recipe.run(*sets, "--stage", "7", "--ngpu", "2")[2]) == ["decode", "decode", "score"]


def write_torchrun(recipe):
    """A python that only writes down which module it is to run."""
    python = recipe.folder.parents[1] / "tools/venv/bin/python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -m ] && echo "$@" >> "$LOG" && exit\nexec {sys.executable} "$@"\n'
    )


def test_several_gpus_are_started_by_torchrun(recipe):
    write_torchrun(recipe)
    (one,) = [
        line for line in recipe.run("--ngpu", "2", "--stop_stage", "4")[2] if "torch.distributed" in line
    ]
    assert "--nproc_per_node 2 --standalone -m qwen_audio train --config conf/pretrain.yaml" in one
    args = ["--ngpu", "8", "--num_nodes", "2", "--master", "host:1", "--tag", "b"]
    args += ["--stage", "4", "--stop_stage", "4"]
    (two,) = [line for line in recipe.run(*args)[2] if "torch.distributed" in line]
    assert (
        "--nproc_per_node 8 --nnodes 2 --rdzv_backend c10d --rdzv_endpoint host:1 -m qwen_audio train" in two
    )


@pytest.mark.parametrize("ngpu", [1, 2])
def test_what_the_frame_cache_saves_is_measured_on_one_gpu_where_one_trained(recipe, ngpu):
    configure_chat(recipe)
    write_bench(recipe)
    write_torchrun(recipe)
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 3}]\nframe_cache: {max_gb: 1}\n")
    status, output, _ = recipe.run("--stop_stage", "6", "--ngpu", str(ngpu))
    assert status == 0, output
    assert (recipe.folder / "measured").exists() == (ngpu == 1)


@pytest.mark.parametrize("ngpu, config", [(1, ""), (1, "num_workers: 7\n"), (0, "num_workers: 0\n")])
def test_on_a_cpu_and_where_the_config_reads_ahead_its_own_number_counts(recipe, ngpu, config):
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + config)
    called = recipe.run("--stop_stage", "4", "--ngpu", str(ngpu))[2]
    assert called[-1].startswith("train ") and "num_workers" not in called[-1]


def test_on_a_gpu_the_audio_is_read_ahead_unless_the_arguments_say_otherwise(recipe):
    configure_chat(recipe)
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "num_workers: 0\n")
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 3}]\nnum_workers: 0\n")
    args = ["--override seed=3 num_workers=2", "--override num_workers=3"]
    options = ["--stop_stage", "6", "--tag", "a", "--train_args", args[0], "--sft_args", args[1]]
    called = recipe.run(*options, "--ngpu", "1")[2]
    trained = [line for line in called if line.startswith("train ")]
    for line, own in zip(trained, args, strict=True):
        assert line.endswith(f"--ngpu 1 --override num_workers=4 {own}")
    assert recipe.run(*options, "--ngpu", "0")[2] == []  # where it is read changes nothing


@pytest.mark.parametrize("stages", [[], ["--stop_stage", "4"], ["--stage", "4"]])
def test_several_machines_train_and_do_nothing_else(recipe, stages):
    status, output, called = recipe.run("--num_nodes", "2", *stages)
    assert status != 0 and called == [] and len(output.splitlines()) == 1
    assert "--num_nodes 2 is for --stage 4 --stop_stage 4; run the stages before and after on one" in output


def test_several_machines_need_the_name_of_the_first(recipe):
    status, output, called = recipe.run("--num_nodes", "2", "--stage", "4", "--stop_stage", "4")
    assert status != 0 and called == [] and len(output.splitlines()) == 1
    assert "--num_nodes 2 needs --master HOST:PORT" in output
