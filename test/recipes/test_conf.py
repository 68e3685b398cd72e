"""The configurations that are shipped: recipes/conf and egs/*/conf."""

import re
from pathlib import Path

import pytest
import yaml

from qwen_audio.build import build_model
from qwen_audio.config import load_config, read_yaml
from qwen_audio.infer.options import load_inference_config
from qwen_audio.task_spec import load_tasks
from qwen_audio.train.optim import build_optimizer

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("recipes/conf/pretrain*.yaml")) + sorted(ROOT.glob("egs/*/conf/pretrain*.yaml"))
SHIPPED_CHAT = sorted([*ROOT.glob("recipes/conf/sft*.yaml"), *ROOT.glob("egs/*/conf/sft*.yaml")])
SHIPPED_DECODING = sorted(ROOT.glob("egs/*/conf/decode*.yaml"))


ESPNET = "{output_size: 16, attention_heads: 2, linear_units: 32, num_blocks: 1}"
BRANCHES = ESPNET[:-1] + ", cgmlp_linear_units: 32, cgmlp_conv_kernel: 7}"
TRANSFORMER = "{hidden_size: 32, layers: 1, heads: 2, ffn_size: 32}"
SWAPS = {  # a variant of egs/multitask/conf/pretrain.yaml, with overrides that make it small
    "adapter: conv": [],
    "adapter: pool_linear": [],
    "adapter: identity": [],
    "encoder: conformer": [f"encoder_conf={ESPNET}"],
    "encoder: e_branchformer": [f"encoder_conf={BRANCHES}"],
    "decoder: transformer": [f"decoder_conf={TRANSFORMER}"],
    "specaug: null": [],
    "ctc: null": ["phases=[{steps: 3}]"],
    **{f"timestamp_head: {head}": ["phases=[{steps: 3}]"] for head in ("tokens", "attention", "null")},
    "freeze_param: [adapter]": [],
}


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
def test_the_warm_up_of_a_shipped_configuration_ends_before_half_of_its_steps(path):
    config = read_yaml(path)
    assert config["scheduler_conf"]["warmup_steps"] < sum(phase["steps"] for phase in config["phases"]) / 2


@pytest.mark.parametrize("path", [*SHIPPED, *SHIPPED_CHAT], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_configuration_recomputes_activations_where_its_llm_is_large(path):
    large = path.is_relative_to(ROOT / "recipes")  # Qwen-7B
    assert read_yaml(path)["decoder_conf"]["gradient_checkpointing"] == large


@pytest.fixture
def optimizer_of(tiny_whisper, tiny_llm, tiny_tokenizer, tmp_path):
    """Function (YAML, overrides): the optimizer of this variant of the multitask recipe, its backbones tiny."""

    def make(variant, changes):
        path = ROOT / "egs/multitask/conf/pretrain.yaml"
        tiny = {"encoder_conf": {"model": str(tiny_whisper)}, "decoder_conf": {"model": str(tiny_llm)}}
        (tmp_path / "pretrain.yaml").write_text(yaml.safe_dump({"include": str(path), **tiny}))
        (tmp_path / "mine.yaml").write_text(f"include: pretrain.yaml\n{variant}\n")
        config = load_config(tmp_path / "mine.yaml", changes)
        return build_optimizer(build_model(config, tiny_tokenizer, tiny_tokenizer.encode("a dog")), config)

    return make


@pytest.mark.parametrize("variant", SWAPS)
def test_a_component_of_the_multitask_recipe_is_swapped_by_one_line(optimizer_of, variant):
    groups = optimizer_of(variant, SWAPS[variant]).param_groups
    assert {"encoder", "decoder"} <= {name.partition(".")[0] for group in groups for name in group["names"]}


def test_the_example_of_a_swap_in_the_readme_has_an_optimizer(optimizer_of):
    (block,) = re.findall(
        r"```yaml\ninclude: pretrain.yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    groups = optimizer_of(block, [f"encoder_conf={BRANCHES}", f"decoder_conf={TRANSFORMER}"]).param_groups
    scales = {name: group["lr_scale"] for group in groups for name in group["names"]}
    assert {scale for name, scale in scales.items() if name.startswith("adapter.")} == {5}
    assert {scale for name, scale in scales.items() if name.startswith("decoder.")} == {8}


def test_a_learning_rate_of_ones_own_that_fits_nothing_is_an_error(optimizer_of):
    variant = "decoder: transformer\nlr_scale: {decoder.new_rows: 20}"
    with pytest.raises(ValueError, match="lr_scale.decoder.new_rows fits no trained parameter"):
        optimizer_of(variant, SWAPS["decoder: transformer"])


def test_the_shared_pre_training_is_table_6_of_the_paper():
    first = read_yaml(ROOT / "recipes/conf/pretrain.yaml")
    optim = {"lr": 5e-5, "betas": [0.9, 0.98], "eps": 1e-6, "weight_decay": 0.05}
    assert (first["optim"], first["optim_conf"], first["layer_decay"]) == ("adamw", optim, 0.95)
    assert first["scheduler"] == "cosine"
    assert first["scheduler_conf"] == {"warmup_steps": 2000, "min_lr": 1e-5}
    assert first["phases"] == [{"steps": 500000}]
    assert (first["batch_conf"]["max_examples"], first["accum_grad"]) == (120, 1)
    assert (first["grad_clip"], first["train_dtype"]) == (1.0, "bfloat16")
    assert (first["encoder_conf"]["model"], first["decoder_conf"]["model"]) == (
        "openai/whisper-large-v2", "Qwen/Qwen-7B",
    )  # fmt: skip
    assert first["freeze_param"] == ["decoder"] and first["decoder_conf"].get("lora") is None
    # SpecAugment's LibriSpeech Basic: F, m_F, T, m_T, W
    basic = {"freq_mask_width_range": [0, 27], "num_freq_mask": 1}
    basic |= {"time_mask_width_range": [0, 100], "num_time_mask": 1, "time_warp_window": 80}
    assert first["specaug"] == "specaug" and first["specaug_conf"] == basic | {"apply_time_warp": True}


def test_the_shared_fine_tuning_is_table_6_of_the_paper():
    sft = read_yaml(ROOT / "recipes/conf/sft.yaml")
    optim = {"lr": 1e-5, "betas": [0.9, 0.98], "eps": 1e-6, "weight_decay": 0.05}
    assert (sft["optim"], sft["optim_conf"], sft["layer_decay"]) == ("adamw", optim, 0)
    assert sft["scheduler_conf"] == {"warmup_steps": 3000, "min_lr": 1e-6} and sft["scheduler"] == "cosine"
    assert (sft["phases"][0]["steps"], sft["batch_conf"]["max_examples"], sft["accum_grad"]) == (8000, 128, 8)
    assert (sft["grad_clip"], sft["train_dtype"]) == (1.0, "bfloat16")
