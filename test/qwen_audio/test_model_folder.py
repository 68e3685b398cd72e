import json

import numpy as np
import pytest
import torch
import yaml

from qwen_audio import model_folder
from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, check_config, merge
from qwen_audio.model_folder import backbones, export_model, tied_names, write_run
from qwen_audio.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def config_of(parts):
    """Function (encoder, decoder) -> a complete configuration of tiny parts."""

    def make(encoder, decoder):
        chosen = {**parts["encoder"][encoder], **parts["adapter"]["pool_linear"], **parts["decoder"][decoder]}
        config = merge(DEFAULTS, chosen)
        check_config(config)
        return config

    return make


@pytest.fixture(scope="session")
def config(config_of):
    return config_of("whisper", "frozen")


@pytest.fixture(scope="session")
def model(config, tiny_tokenizer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_model(config, tiny_tokenizer)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_holds_configuration_tokens_and_tokenizer(config, tiny_tokenizer, tmp_path):
    write_run(tmp_path, tiny_tokenizer, config, ["asr/en", "lid"], np.array([7, 9]))
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == config
    assert json.loads((tmp_path / "run.json").read_text()) == {
        "ctc_tokens": [7, 9],
        "tasks": ["asr/en", "lid"],
    }
    assert Tokenizer(tmp_path / "tokenizer").encode("the dog") == tiny_tokenizer.encode("the dog")


def test_a_tokenizer_that_stands_there_already_is_left_alone(config, tiny_tokenizer, tmp_path):
    write_run(tmp_path, tiny_tokenizer, config, [], [])
    before = files(tmp_path / "tokenizer")
    write_run(tmp_path, Tokenizer(tmp_path / "tokenizer"), config, ["lid"], [])
    assert files(tmp_path / "tokenizer") == before
    assert json.loads((tmp_path / "run.json").read_text())["tasks"] == ["lid"]


def test_backbones_are_the_slots_that_are_built_after_a_hugging_face_model(config_of):
    assert backbones(config_of("whisper", "frozen")) == ["encoder", "decoder"]
    assert backbones(config_of("whisper", "transformer")) == ["encoder"]
    assert backbones(config_of("conformer", "lora")) == ["decoder"]
    assert backbones(config_of("conformer", "transformer")) == []


def test_an_export_has_the_shapes_of_its_backbones_without_their_weights(
    model, tiny_tokenizer, config, tmp_path
):
    export_model(model, tiny_tokenizer, config, ["asr/en"], [], tmp_path)
    found = {name for name in files(tmp_path) if not name.startswith("tokenizer/")}
    assert found == {
        "config.yaml", "run.json", "model.safetensors", "encoder/config.json", "decoder/config.json",
    }  # fmt: skip
    assert json.loads((tmp_path / "encoder/config.json").read_text())["d_model"] == 32


def test_a_second_export_replaces_the_first_and_leaves_other_files(model, tiny_tokenizer, config, tmp_path):
    (tmp_path / "train_log.jsonl").write_text("log")
    (tmp_path / "model.safetensors.partial").write_text("broken off")
    export_model(model, tiny_tokenizer, config, ["asr/en"], [], tmp_path)
    first = files(tmp_path)
    export_model(model, tiny_tokenizer, config, ["asr/en"], [], tmp_path)
    assert files(tmp_path) == first
    assert first["train_log.jsonl"] == b"log"
    assert not any("partial" in name for name in first)


def test_an_export_that_breaks_off_leaves_no_weights_beside_another_configuration(
    model, tiny_tokenizer, config, tmp_path, monkeypatch
):
    export_model(model, tiny_tokenizer, config, ["asr/en"], [], tmp_path)

    def full(*args):
        raise OSError("disk full")

    monkeypatch.setattr(model_folder, "save_file", full)
    with pytest.raises(OSError, match="disk full"):
        export_model(model, tiny_tokenizer, config, ["lid"], [], tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tied_names_are_those_of_one_tensor(device):
    model = torch.nn.Module()
    with torch.device(device):
        model.embed, model.apart, model.head = (torch.nn.Linear(3, 2, bias=False) for _ in range(3))
        model.register_buffer("none", torch.empty(0))
        model.register_buffer("none_either", torch.empty(0))
        model.register_buffer("not_stored", torch.ones(1), persistent=False)
    model.head.weight = model.embed.weight
    assert tied_names(model) == [["embed.weight", "head.weight"], ["apart.weight"], ["none"], ["none_either"]]
