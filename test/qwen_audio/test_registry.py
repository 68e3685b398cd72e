import sys

import pytest

from qwen_audio.adapter.pool_linear import PoolLinear
from qwen_audio.registry import SLOTS, check_options, component_class, nearest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package ``their`` with an adapter as entry point."""
    (tmp_path / "their.py").write_text(
        "class Adapter:\n"
        "    def __init__(self, input_size, output_size, depth, width=3): ...\n"
        "    def forward(self, input, input_lengths): ...\n"
        "    def num_frames(self, frames): ...\n"
        "class Narrow(Adapter):\n"
        "    def __init__(self, idim, odim): ...\n"
        "class Open(Adapter):\n"
        "    def __init__(self, **widths): ...\n"
        "class Head:\n"
        "    words = words_of = align = None\n"
        "class TrainedHead(Head):\n"
        "    forward = None\n"
        "class Decoder:\n"
        "    forward = base_rows = body = embed = logits = join = None\n"
        "    def __init__(self, base_size, new_tokens, lora=None): ...\n"
    )
    info = tmp_path / "their-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[qwen_audio.adapter]\ntheirs = their:Adapter\nbroken = their:Gone\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("their", None)


@pytest.mark.parametrize("slot, name", [(slot, name) for slot, names in SLOTS.items() for name in names])
def test_every_registered_name_imports_a_class_of_that_name_in_camel_case(slot, name):
    component = component_class(slot, name)
    assert component.__name__.lower() == name.replace("_", "")


def test_a_name_of_the_table_is_its_class():
    assert component_class("adapter", "pool_linear") is PoolLinear


def test_a_module_and_class_stand_for_themselves():
    assert component_class("adapter", "qwen_audio.adapter.pool_linear:PoolLinear") is PoolLinear


def test_an_installed_package_adds_a_component_by_entry_point(package):
    assert component_class("adapter", "theirs").__module__ == "their"


def test_an_entry_point_serves_only_its_own_slot(package):
    with pytest.raises(ValueError, match="encoder: unknown component 'theirs'"):
        component_class("encoder", "theirs")


def test_an_unknown_name_is_answered_with_the_nearest_and_all_valid_ones(package):
    message = (
        r"adapter: unknown component 'pool_liner'; did you mean 'pool_linear'\?"
        r" \(valid: broken, conv, identity, pool_"
    )
    with pytest.raises(ValueError, match=message):
        component_class("adapter", "pool_liner")


def test_entry_points_are_among_the_nearest_names(package):
    with pytest.raises(ValueError, match="did you mean 'theirs'"):
        component_class("adapter", "theirz")


def test_a_value_that_is_no_name_is_unknown():
    with pytest.raises(ValueError, match=r"adapter: unknown component \['conv'\]"):
        component_class("adapter", ["conv"])


@pytest.mark.parametrize("name, reason", [
    ("no_such_module:Adapter",
     "No module named 'no_such_module'.*; install its package, or put its folder on PYTHONPATH"),
    ("qwen_audio.adapter.conv:Konv", "has no attribute 'Konv'.*; write module:Class"),
    ("broken", "has no attribute 'Gone'.*; write module:Class"),
])  # fmt: skip
def test_a_class_that_cannot_be_imported_is_named_with_reason_and_mend(package, name, reason):
    with pytest.raises(ValueError, match=f"adapter: '{name}' cannot be imported .*{reason}"):
        component_class("adapter", name)


@pytest.mark.parametrize("slot, name, lacking", [
    ("encoder", "espnet2.asr.encoder.transformer_encoder:TransformerEncoder", "num_frames"),
    ("encoder", "espnet2.asr.encoder.abs_encoder:AbsEncoder", "forward, num_frames, output_size"),
    ("adapter", "torch.nn:Linear", "num_frames"),
    ("timestamp_head", "torch.nn:Linear", "words, words_of, align"),
])  # fmt: skip
def test_methods_that_a_component_lacks_are_named(slot, name, lacking):
    with pytest.raises(ValueError, match=f"{slot}: {name} has no {lacking}; docs/components.md says"):
        check_options(slot, name, {}, {"input_size"})


def test_a_decoder_that_takes_lora_must_be_able_to_add_it_later(package):
    with pytest.raises(ValueError, match="decoder: their:Decoder has no add_lora; docs/components.md says"):
        check_options("decoder", "their:Decoder", {}, {"base_size", "new_tokens"})


def test_a_component_must_take_what_the_model_gives(package):
    given = {"input_size", "output_size"}
    message = (
        "adapter: their:Narrow must take input_size, output_size, which the model gives; it takes idim, odim"
    )
    with pytest.raises(ValueError, match=message):
        check_options("adapter", "their:Narrow", {"idim": 3}, given)
    check_options("adapter", "their:Open", {"any": 1}, given)


def test_a_timestamp_head_is_given_something_only_where_it_is_trained(package):
    check_options("timestamp_head", "their:Head", {}, {"input_size", "tokenizer"})
    with pytest.raises(ValueError, match="must take input_size, tokenizer, .*; it takes nothing"):
        check_options("timestamp_head", "their:TrainedHead", {}, {"input_size", "tokenizer"})


def test_a_mistyped_option_is_answered_with_the_nearest():
    message = r"adapter_conf.strid: pool_linear has no such option; did you mean 'stride'\? \(valid: stride\)"
    with pytest.raises(ValueError, match=message):
        check_options("adapter", "pool_linear", {"strid": 2}, {"input_size", "output_size"})


def test_an_option_that_the_model_gives_is_not_the_users():
    with pytest.raises(ValueError, match="adapter_conf.input_size: pool_linear has no such option"):
        check_options("adapter", "pool_linear", {"input_size": 2}, {"input_size", "output_size"})


def test_a_missing_option_is_named(package):
    with pytest.raises(ValueError, match="adapter_conf.depth: theirs needs this option"):
        check_options("adapter", "theirs", {"width": 1}, {"input_size", "output_size"})
    check_options("adapter", "theirs", {"depth": 1}, {"input_size", "output_size"})


def test_a_name_far_from_all_gets_the_list_alone():
    assert nearest("zzz", ["one", "two"]) == " (valid: one, two)"
