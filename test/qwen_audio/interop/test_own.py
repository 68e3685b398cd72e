import huggingface_hub
import pytest
from huggingface_hub.utils import filter_repo_objects

from qwen_audio.interop.own import fetch

WHISPER = [  # as openai/whisper-large-v3's repository lists them
    "README.md", "config.json", "flax_model.msgpack", "generation_config.json", "merges.txt",
    "model.fp32-00001-of-00002.safetensors", "model.fp32-00002-of-00002.safetensors", "model.safetensors",
    "model.safetensors.index.fp32.json", "pytorch_model.bin", "pytorch_model.fp32-00001-of-00002.bin",
    "tf_model.h5", "vocab.json",
]  # fmt: skip
SMALL = ["README.md", "config.json", "generation_config.json", "merges.txt", "vocab.json"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Function (files) that lets the hub's every repository hold them; downloads go to ``tmp_path``."""

    def fill(names):
        def download(_, ignore_patterns):
            for name in filter_repo_objects(names, ignore_patterns=ignore_patterns):
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).touch()
            return str(tmp_path)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    return fill


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_of_weights_stored_several_times_those_are_fetched_that_are_read(hub):
    hub(WHISPER)
    assert files(fetch("openai/whisper-large-v3")) == sorted([*SMALL, "model.safetensors"])


def test_bin_files_are_fetched_where_there_are_no_safetensors(hub):
    hub([name for name in WHISPER if not name.endswith(".safetensors")])
    assert files(fetch("openai/whisper-old")) == sorted([*SMALL, "pytorch_model.bin"])


def test_shards_and_the_folders_of_an_own_model_are_fetched(hub):
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    own = ["config.yaml", "run.json", "decode.yaml", "tokenizer/tokenizer.json", "encoder/config.json"]
    names = sorted(["model.safetensors.index.json", *shards, *own])
    hub([*names, "original/consolidated.00.pth", "model.gguf", "onnx/model.onnx_data"])
    assert files(fetch("some/model")) == names


def test_a_tokenizer_is_fetched_without_weights(hub):
    hub([*WHISPER, "qwen.tiktoken"])
    assert files(fetch("Qwen/Qwen-7B", weights=False)) == sorted([*SMALL, "qwen.tiktoken"])


def test_a_folder_is_taken_as_it_is(hub, tmp_path):
    assert fetch(str(tmp_path)) == tmp_path
