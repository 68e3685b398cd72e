"""How much memory an import takes, measured in a process of its own."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

MEASURE = """
import gc, re, sys, torch
from qwen_audio.interop.assemble import import_model

def resident(which):
    return 1024 * int(re.search(which + r":\\s+(\\d+)", open("/proc/self/status").read())[1])

whisper, tiny, *jobs = sys.argv[1:]
torch.set_num_threads(1)
import_model([whisper, tiny], jobs[1] + "_tiny")  # every module is loaded now
for source, out, dtype in zip(jobs[::3], jobs[1::3], jobs[2::3]):
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before = resident("VmRSS")
    import_model([whisper, source], out, dtype)
    print("peak", resident("VmHWM") - before)
"""


@pytest.fixture(scope="module")
def shards(tiny_llm, tmp_path_factory):
    """Folder of a random Llama of 16-bit weights, 140 MB in three shards."""
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("shards")
    shape = AutoConfig.from_pretrained(tiny_llm)
    shape.update({"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 6, "head_dim": 64})
    shape.update({"num_attention_heads": 16, "num_key_value_heads": 4, "dtype": "bfloat16"})
    LlamaForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder, max_shard_size="60MB")
    AutoTokenizer.from_pretrained(tiny_llm).save_pretrained(folder)
    return folder


def as_pickles(source, folder):
    folder.mkdir()
    index = json.loads((source / "model.safetensors.index.json").read_text())
    for file in source.iterdir():
        if file.suffix == ".safetensors":
            torch.save(load_file(file), folder / f"{file.stem}.bin")
        elif not file.name.startswith("model"):
            (folder / file.name).write_bytes(file.read_bytes())
    where = {name: file.replace(".safetensors", ".bin") for name, file in index["weight_map"].items()}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def test_an_import_takes_at_most_the_model_in_its_final_type_and_a_shard_and_a_fifth(
    shards, tiny_whisper, tiny_llm, tmp_path
):
    pickles = as_pickles(shards, tmp_path / "pickles")
    jobs = [(shards, tmp_path / "kept", "source"), (pickles, tmp_path / "widened", "float32")]
    arguments = [str(part) for job in [(tiny_whisper, tiny_llm), *jobs] for part in job]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True
    )
    peaks = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("peak")]
    for (source, out, _), taken in zip(jobs, peaks, strict=True):
        largest = max(file.stat().st_size for file in source.glob("*-of-*"))
        model = (out / "model.safetensors").stat().st_size
        assert model < taken <= model + 1.2 * largest
