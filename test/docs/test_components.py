"""docs/components.md: what stands there whole is trained and used as written; its table is what the package asks."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from transformers import WavLMConfig, WavLMModel

from qwen_audio import cli
from qwen_audio.config import GIVEN, load_config
from qwen_audio.infer.load import load_model
from qwen_audio.registry import METHODS

PAGE = (Path(__file__).parents[2] / "docs/components.md").read_text(encoding="utf-8")


@pytest.fixture
def recipe(tmp_path, tiny_whisper, tiny_llm, monkeypatch):
    """A recipe folder with the files of the page, the configuration they include, and a set ``mine``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("conf").mkdir()
    base = {
        "encoder_conf": {"model": str(tiny_whisper)},
        "decoder_conf": {"model": str(tiny_llm)},
        "freeze_param": ["encoder", "decoder"],
        "phases": [{"steps": 2}],
        "batch_conf": {"max_examples": 2},
        "num_workers": 0,
    }
    Path("conf/pretrain.yaml").write_text(yaml.safe_dump(base))
    for kind in ("python", "yaml"):
        for block in re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S):
            Path(block.partition("\n")[0].removeprefix("# ")).write_text(block)
    Path("data/mine").mkdir(parents=True)
    lines = {"wav.scp": "", "text": "", "utt2spk": ""}
    for n in range(4):
        soundfile.write(f"{n}.wav", np.random.default_rng(n).normal(0, 0.1, 8000 + 1111 * n), 16000)
        lines["wav.scp"] += f"utt{n} {tmp_path}/{n}.wav\n"
        lines["text"] += f"utt{n} press one to hear it\n"
        lines["utt2spk"] += f"utt{n} anna\n"
    for name, text in lines.items():
        Path("data/mine", name).write_text(text)
    yield tmp_path
    for module in ("my_adapter", "my_wavlm"):
        sys.modules.pop(module, None)


@pytest.fixture
def tiny_wavlm(tmp_path):
    """Folder of a random WavLM: width 32, 2 layers, the convolutions of all sizes, 8 channels wide."""
    config = WavLMConfig(
        vocab_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(6)
        WavLMModel(config).save_pretrained(tmp_path / "tiny_wavlm")
    return tmp_path / "tiny_wavlm"


def train(config, *changes):
    """Stages 1 to 5 with a configuration of the page, into ``run``."""
    cli.run("prepare", ["data/mine", "raw"])
    cli.run("tokenizer", ["--config", config, "--train", "raw", *changes, "--out", "tokenizer"])
    cli.run("tokenize", ["raw", "tokens", "--tokenizer", "tokenizer"])
    run = ["--config", config, "--train", "tokens", "--valid", "tokens", *changes]
    cli.run("stats", [*run, "--output", "stats"])
    cli.run("train", [*run, "--output", "run"])
    cli.run("average", ["run"])


def check_alone_as_together(loaded):
    clips = [torch.randn(samples) * 0.1 for samples in (16000, 9111)]
    together, lengths = loaded.encode(clips)
    alone, length = loaded.encode(clips[1:])
    assert lengths.tolist() == [loaded.model.num_frames(len(clip)) for clip in clips]
    torch.testing.assert_close(together[1, : lengths[1]], alone[0], atol=1e-4, rtol=1e-4)


def test_the_adapter_of_the_page_is_trained_and_used(recipe):
    train("conf/mine.yaml")
    loaded = load_model("run")
    adapter = loaded.model.adapter
    assert type(adapter).__name__ == "MyAdapter" and adapter.hidden.out_features == 256
    check_alone_as_together(loaded)


@pytest.mark.parametrize("normalize", ["false", "true"])
def test_the_pretrained_encoder_of_the_page_is_trained_with_and_loaded_without_its_folder(
    recipe, tiny_wavlm, normalize
):
    weights = WavLMModel.from_pretrained(tiny_wavlm).state_dict()
    changes = [f"encoder_conf.model={tiny_wavlm}", f"encoder_conf.normalize={normalize}"]
    train("conf/wavlm.yaml", "--override", *changes)
    shutil.rmtree(tiny_wavlm)
    loaded = load_model("run")
    body = loaded.model.encoder.body
    assert type(body) is WavLMModel
    for name, tensor in body.state_dict().items():
        torch.testing.assert_close(tensor, weights[name])
    check_alone_as_together(loaded)
    assert loaded.hear([torch.zeros(100)])[1].tolist() == [1]


def test_without_its_folder_the_message_says_how_python_finds_it(recipe, monkeypatch):
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(recipe)])
    with pytest.raises(
        ValueError, match="'my_adapter:MyAdapter' cannot be imported .* put its folder on PYTHONPATH"
    ):
        load_config("conf/mine.yaml")


def test_the_table_names_what_is_given_and_asked_for():
    rows = {
        cells[1].strip(" `"): cells[2:] for line in PAGE.splitlines() if len(cells := line.split("|")) > 3
    }
    heads = {"decoder": "CausalDecoder", "timestamp_head": "TimestampHead"}  # whose methods a subclass has
    for slot, methods in METHODS.items():
        given, answers = rows[slot][0], rows[slot][1]
        assert heads[slot] in answers if slot in heads else all(f"`{name}(" in answers for name in methods)
        given = rows["the same, trained"][0] if slot == "timestamp_head" else given
        assert re.findall(r"`(\w+)`", given) == list(GIVEN.get(slot, ()))
