"""A trained model of tiny parts as stage 5 leaves it, and dialogues to fine-tune it on."""

import json

import numpy as np
import pytest
import soundfile
import torch
import yaml

from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.data.tokenize_dialogues import tokenize_dialogues
from qwen_audio.model_folder import export_model

SFT = {
    "decoder_conf": {"lora": {"r": 3}},
    "freeze_param": ["encoder", "adapter", "ctc"],
    "optim_conf": {"lr": 1e-3},
    "layer_decay": 0,
    "scheduler_conf": {"warmup_steps": 1, "min_lr": 1e-4},
    "phases": [{"steps": 4, "task_weights": {"template": 3, "joined": 2, "text": 1}}],
    "batch_conf": {"max_examples": 4},
    "num_workers": 0,
    "num_threads": 1,
    "tensorboard": False,
    "log_steps": 2,
    "valid_steps": 4,
    "checkpoint_steps": 2,
    "average_checkpoints": 1,
}


@pytest.fixture
def stage5(tiny_whisper, tiny_llm, tiny_tokenizer, tmp_path):
    """Folder of a model with CTC and LoRA, whose LoRA matrices do something."""
    path = tmp_path / "pretrain.yaml"
    content = {
        "encoder_conf": {"model": str(tiny_whisper)},
        "adapter": "stack_linear",
        "adapter_conf": {"stride": 4, "hidden_size": 48},
        "specaug": "specaug",
        "specaug_conf": {"time_mask_width_range": [0, 20]},
        "ctc": "embedding",
        "decoder_conf": {"model": str(tiny_llm), "lora": {"r": 2, "target_modules": ["q_proj", "v_proj"]}},
        "phases": [{"steps": 1}],
    }
    path.write_text(yaml.safe_dump(content))
    config = load_config(path)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(config, tiny_tokenizer, [20, 30], 1)
        for name, param in model.named_parameters():
            if ".lora_" in name:
                param.data.normal_(0, 0.2)
    folder = tmp_path / "exp/pretrain_tiny"
    export_model(model, tiny_tokenizer, config, ["asr/en"], [20, 30], folder)
    return folder


@pytest.fixture
def sft_config(stage5, tmp_path):
    """Function (**changes): the configuration of a fine-tuning of ``stage5``."""

    def make(**changes) -> dict:
        path = tmp_path / "sft.yaml"
        path.write_text(yaml.safe_dump({"init": str(stage5), **SFT, **changes}))
        return load_config(path)

    return make


@pytest.fixture
def dialogues(tiny_tokenizer, tmp_path):
    """Tokenised set of 12 dialogues: one, two or no audio, over six noises of 0.5 to 1.5 s."""
    draw = np.random.default_rng(0)
    clips = []
    for number in range(6):
        clips.append(str(tmp_path / f"clip{number}.wav"))
        wave = draw.uniform(-0.5, 0.5, int(draw.integers(8000, 24000)))
        soundfile.write(clips[-1], wave, 16000, subtype="PCM_16")
    (tmp_path / "sft").mkdir()
    with open(tmp_path / "sft/dialogues.jsonl", "w") as stream:
        for number in range(12):
            kind = ("template", "joined", "text")[number % 3]
            heard = {
                "template": clips[number % 6 :][:1],
                "joined": [clips[number % 6], clips[number % 4]],
                "text": [],
            }
            asked = [{"type": "audio", "audio": clip} for clip in heard[kind]] + [
                {"type": "text", "text": "what"}
            ]
            messages = [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": "press " * (number + 1)},
            ]
            stream.write(json.dumps({"id": f"d{number}", "messages": messages, "source": kind}) + "\n")
    tokenize_dialogues(tmp_path / "sft", tmp_path / "tokens_sft", tiny_tokenizer)
    return tmp_path / "tokens_sft"
