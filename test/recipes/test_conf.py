"""The configurations that are shipped: recipes/conf and egs/*/conf."""

from pathlib import Path

import pytest
import yaml

from qwen_audio.config import load_config, read_yaml
from qwen_audio.infer.options import load_inference_config
from qwen_audio.task_spec import load_tasks

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("recipes/conf/pretrain*.yaml")) + sorted(ROOT.glob("egs/*/conf/pretrain*.yaml"))
SHIPPED_CHAT = sorted([*ROOT.glob("recipes/conf/sft*.yaml"), *ROOT.glob("egs/*/conf/sft*.yaml")])
SHIPPED_DECODING = sorted(ROOT.glob("egs/*/conf/decode*.yaml"))


def test_recipes_ship_configurations():
    assert SHIPPED and SHIPPED_DECODING


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_configuration_loads(path):
    assert load_config(path)["phases"]


@pytest.mark.parametrize("path", SHIPPED_DECODING, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_decoding_configuration_loads(path):
    assert load_inference_config(path, load_tasks()).batch_conf["max_examples"] > 0


@pytest.mark.parametrize("path", SHIPPED_CHAT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_fine_tuning_takes_the_components_of_the_model_it_starts_from(path, tmp_path):
    first = load_config(path.with_name("pretrain.yaml"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(first))
    config = load_config(path, [f"init={tmp_path}"])
    for slot in ("frontend", "specaug", "encoder", "adapter", "ctc", "timestamp_head"):
        assert config[slot] == first[slot] and config[f"{slot}_conf"] == first[f"{slot}_conf"]
    assert config["decoder_conf"]["model"] == first["decoder_conf"]["model"]
    assert {"encoder", "adapter"} <= set(config["freeze_param"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_configuration_normalises_audio_frames_once_where_the_papers_adapter_does(path):
    config = load_config(path)
    pooled = config["adapter"] == "pool_linear"
    assert config["encoder"] == "whisper" and config["encoder_conf"]["final_norm"] != pooled


@pytest.mark.parametrize("path", [*SHIPPED, *SHIPPED_CHAT], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_configuration_recomputes_activations_where_its_llm_is_large(path):
    large = path.is_relative_to(ROOT / "recipes")  # Qwen-7B
    assert read_yaml(path)["decoder_conf"]["gradient_checkpointing"] == large


def test_the_shared_fine_tuning_is_table_6_of_the_paper():
    sft = read_yaml(ROOT / "recipes/conf/sft.yaml")
    optim = {"lr": 1e-5, "betas": [0.9, 0.98], "eps": 1e-6, "weight_decay": 0.05}
    assert (sft["optim"], sft["optim_conf"], sft["layer_decay"]) == ("adamw", optim, 0)
    assert sft["scheduler_conf"] == {"warmup_steps": 3000, "min_lr": 1e-6} and sft["scheduler"] == "cosine"
    assert (sft["phases"][0]["steps"], sft["batch_conf"]["max_examples"], sft["accum_grad"]) == (8000, 128, 8)
    assert (sft["grad_clip"], sft["train_dtype"]) == (1.0, "bfloat16")
