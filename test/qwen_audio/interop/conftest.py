"""Small random checkpoints in the layouts of released ones; nothing is downloaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for qwen_layouts

MEASURED = """
import contextlib, gc, re, sys, torch

torch.set_num_threads(1)

def resident(which):
    return 1024 * int(re.search(which + r":\\s+(\\d+)", open("/proc/self/status").read())[1])

@contextlib.contextmanager
def measured():
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before = resident("VmRSS")
    yield
    print("peak", resident("VmHWM") - before)
"""


@pytest.fixture
def peak_memory():
    """Function (script, *arguments): the bytes that what stands under each ``with measured()`` of the script takes."""

    def run(script, *arguments):
        command = [sys.executable, "-c", MEASURED + script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("peak")]

    return run


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def qwen2_audio(tmp_path_factory, tiny_llm):
    """Folder of a random Qwen2-Audio of Hugging Face, with its processor: width 32, 128 mels."""
    from transformers import (
        AutoTokenizer,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    folder = tmp_path_factory.mktemp("qwen2_audio")
    tokenizer = AutoTokenizer.from_pretrained(tiny_llm)
    tokenizer.add_tokens(["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"], special_tokens=True)
    extractor = WhisperFeatureExtractor(feature_size=128)
    Qwen2AudioProcessor(extractor, tokenizer).save_pretrained(folder)
    audio = {
        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
        "num_mel_bins": 128, "initializer_range": 0.2,
    }  # fmt: skip
    text = {
        "model_type": "qwen2", "vocab_size": len(tokenizer) + 5, "hidden_size": 48, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2,
        "tie_word_embeddings": False,
    }  # fmt: skip
    placeholder = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    config = Qwen2AudioConfig(audio_config=audio, text_config=text, audio_token_index=placeholder)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Qwen2AudioForConditionalGeneration(config)
        for parameter in model.parameters():  # norms and biases too must be told apart
            parameter.data += 0.05 * torch.randn_like(parameter)
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def write_config():
    """Function (folder, **keys) that changes keys of its config.json."""

    def write(folder, **keys):
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | keys))

    return write


@pytest.fixture(scope="session")
def trained(tiny_whisper, tiny_llm, tiny_tokenizer, tmp_path_factory):
    """Function (folder, **keys of the YAML) that writes a random model as stage 5 leaves one; gives its model."""
    from qwen_audio.build import build_model
    from qwen_audio.config import DEFAULTS, check_config, merge
    from qwen_audio.model_folder import export_model

    def write(folder, encoder_conf=None, decoder_conf=None, **keys):
        keys["encoder_conf"] = {"model": str(tiny_whisper), "final_norm": False, **(encoder_conf or {})}
        keys["decoder_conf"] = {"model": str(tiny_llm), **(decoder_conf or {})}
        config = merge({**DEFAULTS, "phases": [{"steps": 1}]}, keys)
        check_config(config)
        with torch.random.fork_rng():
            torch.manual_seed(4)
            model = build_model(config, tiny_tokenizer, [5, 6, 7], 2).eval()
            for name, parameter in model.named_parameters():
                if ".lora_B" in name:
                    parameter.data.normal_()
        export_model(
            model, tiny_tokenizer, config, ["asr/en", "lid"], [5, 6, 7] if keys.get("ctc") else [], folder
        )
        (folder / "decode.yaml").write_text("beam_size: 3\ntasks: {lid: {max_new_tokens: 4}}\n")
        return model

    return write


@pytest.fixture(scope="session")
def same_model():
    """Function (one folder, other) that asserts equal tensors, bit for bit, and equal other files of the model."""
    from safetensors.torch import load_file

    def check(one, other):
        first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
        assert first.keys() == second.keys()
        for name, tensor in first.items():
            assert tensor.dtype == second[name].dtype and torch.equal(tensor, second[name]), name
        names = ("config.yaml", "run.json", "decode.yaml", "tokenizer/tokenizer.json", "decoder/config.json")
        for name in names:
            assert (one / name).read_bytes() == (other / name).read_bytes()

    return check
