"""How much memory an import takes, and a training that begins with what was imported."""

import json

import torch
import yaml
from safetensors.torch import load_file

IMPORT = """
from qwen_audio.interop.assemble import import_model

whisper, tiny, *jobs = sys.argv[1:]
import_model([whisper, tiny], jobs[1] + "_tiny")  # every module is loaded now
for source, out, dtype in zip(jobs[::3], jobs[1::3], jobs[2::3]):
    with measured():
        import_model([whisper, source], out, dtype)
"""
BEGIN = """
from qwen_audio.config import load_config
from qwen_audio.interop.assemble import import_model
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.run import build

whisper, tiny, source, folder, config = sys.argv[1:]
import_model([whisper, tiny], folder + "/tiny")
import_model([whisper, source], folder + "/large", "float32")
for name in ("tiny", "large"):
    init = folder + "/" + name
    with measured():
        build(load_config(config, ["init=" + init]), Tokenizer(init + "/tokenizer"), [], 1, torch.bfloat16)
"""


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
    peak_memory, shards, tiny_whisper, tiny_llm, tmp_path
):
    pickles = as_pickles(shards, tmp_path / "pickles")
    jobs = [(shards, tmp_path / "kept", "source"), (pickles, tmp_path / "widened", "float32")]
    peaks = peak_memory(IMPORT, *[part for job in [(tiny_whisper, tiny_llm), *jobs] for part in job])
    for (source, out, _), taken in zip(jobs, peaks, strict=True):
        largest = max(file.stat().st_size for file in source.glob("*-of-*"))
        model = (out / "model.safetensors").stat().st_size
        assert model < taken <= model + 1.2 * largest


def test_a_training_of_lora_holds_the_llm_it_begins_with_once_in_half_precision(
    peak_memory, shards, tiny_whisper, tiny_llm, tmp_path
):
    config = tmp_path / "sft.yaml"
    config.write_text(yaml.safe_dump({"decoder_conf": {"lora": {"r": 2}}, "phases": [{"steps": 1}]}))
    _, taken = peak_memory(BEGIN, tiny_whisper, tiny_llm, shards, tmp_path, config)
    # float32; pages of it are counted too, though they can be dropped
    model = (tmp_path / "large/model.safetensors").stat().st_size
    assert model / 2 < taken < 1.7 * model
