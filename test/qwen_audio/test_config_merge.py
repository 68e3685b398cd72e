"""Includes and overrides: what a variant takes from below, and what it takes away."""

import pytest

from qwen_audio.config import load_config, read_yaml

MINIMAL = "encoder: conformer\ndecoder: transformer\nphases: [{steps: 3}]\n"


def test_an_included_file_lies_below_relative_to_the_one_that_includes_it(write_config):
    write_config("encoder: conformer\nadapter_conf: {stride: 3}\noptim_conf: {lr: 0.1}\n", "base/base.yaml")
    write_config("include: base.yaml\nseed: 4\noptim_conf: {eps: 0.2}\n", "base/middle.yaml")
    top = write_config("include: base/middle.yaml\nseed: 5\nlr_scale: {adapter: 2}\n")
    assert read_yaml(top) == {
        "encoder": "conformer", "adapter_conf": {"stride": 3}, "optim_conf": {"lr": 0.1, "eps": 0.2},
        "seed": 5, "lr_scale": {"adapter": 2},
    }  # fmt: skip


def test_lists_are_replaced_and_not_merged(write_config):
    write_config("phases: [{steps: 1}, {steps: 2}]\nfreeze_param: [decoder]\n", "base.yaml")
    top = write_config("include: base.yaml\nphases: [{steps: 7}]\nfreeze_param: []\n")
    assert read_yaml(top) == {"phases": [{"steps": 7}], "freeze_param": []}


def test_an_empty_mapping_takes_an_inherited_option_away(write_config):
    """As the errors about frame_cache and speed_perturb advise; options of a component are kept."""
    write_config("frame_cache: {max_gb: 4}\nadapter_conf: {stride: 5}\n" + MINIMAL, "base.yaml")
    top = write_config("include: base.yaml\nframe_cache: {}\nadapter_conf: {}\n")
    assert load_config(top)["frame_cache"] == {} and load_config(top)["adapter_conf"] == {"stride": 5}
    assert load_config(top.parent / "base.yaml", ["frame_cache={}"])["frame_cache"] == {}


def test_a_swapped_component_does_not_inherit_options(write_config):
    write_config("adapter: stack_linear\nadapter_conf: {stride: 4, hidden_size: 8}\n" + MINIMAL, "base.yaml")
    config = load_config(write_config("include: base.yaml\nadapter: conv\n"))
    assert config["adapter"] == "conv" and config["adapter_conf"] == {}
    assert load_config(write_config("include: base.yaml\nadapter: conv\nadapter_conf: {layers: 1}\n"))[
        "adapter_conf"
    ] == {"layers": 1}


def test_naming_the_same_component_again_keeps_its_options(write_config):
    write_config("adapter_conf: {stride: 5}\n" + MINIMAL, "base.yaml")  # the adapter is the default one
    config = load_config(write_config("include: base.yaml\nadapter: pool_linear\n"))
    assert config["adapter_conf"] == {"stride": 5}


def test_an_override_swaps_a_component_without_its_options(write_config):
    path = write_config("adapter: stack_linear\nadapter_conf: {stride: 4, hidden_size: 8}\n" + MINIMAL)
    config = load_config(path, ["adapter=conv", "adapter_conf.layers=1", "seed=7", "optim_conf.lr=1e-4"])
    assert (config["adapter"], config["adapter_conf"], config["seed"]) == ("conv", {"layers": 1}, 7)
    assert config["optim_conf"]["lr"] == 1e-4 and config["optim_conf"]["eps"] == 1e-6


@pytest.mark.parametrize("turn", [1, -1])
def test_overrides_count_together_in_whatever_order_they_stand(write_config, turn):
    path = write_config("adapter: stack_linear\nadapter_conf: {stride: 4}\n" + MINIMAL)
    config = load_config(path, ["adapter_conf.layers=3", "adapter=conv", "seed=7"][::turn])
    assert (config["adapter"], config["adapter_conf"], config["seed"]) == ("conv", {"layers": 3}, 7)


LORA = "decoder: hf_causal_lm\ndecoder_conf: {model: x, lora: {r: 16, lora_alpha: 32}}\nencoder: conformer\n"


def test_a_dotted_override_sets_that_value_alone_at_any_depth(write_config):
    path = write_config(LORA + "phases: [{steps: 3}]\n")
    assert load_config(path, ["decoder_conf.lora.r=8"])["decoder_conf"] == {
        "model": "x", "lora": {"r": 8, "lora_alpha": 32},
    }  # fmt: skip
    assert load_config(path, ["decoder_conf.lora={r: 8}"])["decoder_conf"]["lora"] == {"r": 8}
    none = load_config(path, ["decoder_conf.lora=null", "decoder_conf.lora.r=8", "decoder_conf.model=y"])
    assert none["decoder_conf"] == {"model": "y", "lora": {"r": 8}}
    deep = load_config(path, ["deepspeed_conf.zero_optimization.stage=1"])["deepspeed_conf"]
    assert deep == {"zero_optimization": {"stage": 1}}


def test_what_stands_inside_of_an_included_mapping_is_replaced_as_a_whole(write_config):
    write_config(LORA, "base.yaml")
    top = read_yaml(write_config("include: base.yaml\ndecoder_conf: {lora: {r: 8}}\n"))
    assert top["decoder_conf"] == {"model": "x", "lora": {"r": 8}}


def test_overrides_change_the_components_of_the_model_to_start_from(write_config):
    folder = write_config(LORA + MINIMAL.replace("decoder: transformer\n", ""), "run/config.yaml").parent
    config = load_config(write_config("phases: [{steps: 3}]\n"), ["decoder_conf.lora.r=8", f"init={folder}"])
    assert config["decoder_conf"] == {"model": "x", "lora": {"r": 8, "lora_alpha": 32}}


def test_a_prefix_of_lr_scale_may_have_dots(write_config):
    path = write_config(MINIMAL + "lr_scale: {decoder: 8, adapter: 5}\n")
    scale = load_config(path, ["lr_scale.decoder.new_rows=20"])["lr_scale"]
    assert scale == {"decoder": 8, "adapter": 5, "decoder.new_rows": 20}


def test_an_override_below_what_has_no_keys_is_refused(write_config):
    path = write_config(MINIMAL + "optim_conf: {betas: [0.9, 0.98]}\n")
    with pytest.raises(
        ValueError, match=r"betas.0: optim_conf.betas is \[0.9, 0.98\], which has no keys; write opt"
    ):
        load_config(path, ["optim_conf.betas.0=0.8"])
    with pytest.raises(ValueError, match="override 'adapter_conf=.layers: 1': not valid YAML: while parsing"):
        load_config(path, ["adapter_conf={layers: 1"])
