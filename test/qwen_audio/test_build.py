import itertools
from pathlib import Path

import pytest
import torch

from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.model_folder import export_model
from qwen_audio.train.init import build_from

ROOT = Path(__file__).parents[2]
SHIPPED, FINE_TUNING = (
    sorted([*ROOT.glob(f"recipes/conf/{kind}*.yaml"), *ROOT.glob(f"egs/*/conf/{kind}*.yaml")])
    for kind in ("pretrain", "sft")
)
ROWS = [(8000, "", "a dog", 0, "dog"), (4800, "what is it", "bell", 1, "")]
COMBINATIONS = list(
    itertools.product(
        ["whisper", "conformer", "e_branchformer"],
        ["pool_linear", "stack_linear", "conv"],
        ["frozen", "lora", "transformer"],
    )
)


def train_step(model, batch, loss_weights=None) -> set[str]:
    """One optimizer step, by default on both losses; the names of parameters that moved."""
    model.train()
    model.loss_weights = loss_weights or {"lm": 1.0, "ctc": 0.3}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.0
    )
    loss, _, _ = model(**batch)
    assert torch.isfinite(loss)
    loss.backward()
    optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.parametrize("encoder, adapter, decoder", COMBINATIONS)
def test_every_combination_of_parts_takes_a_training_step(tiny_model, make_batch, encoder, adapter, decoder):
    model = tiny_model(encoder, adapter, decoder)
    moved = train_step(model, make_batch(ROWS))
    names = {name for name, _ in model.named_parameters()}
    still = {name for name in names if name.startswith(("encoder.", "adapter.", "ctc."))} - moved
    # what has no gradient by its nature: Whisper's fixed positions; keys' biases, which softmax cancels
    # (their gradient is zero but for rounding)
    assert all("embed_positions" in name or "linear_k.bias" in name for name in still)
    assert "encoder.conv1.weight" in moved or "encoder.embed.conv.0.weight" in moved
    in_llm = {name for name in moved if name.startswith("decoder.lm.")}
    if decoder == "transformer":
        assert in_llm == {name for name in names if name.startswith("decoder.lm.")}
    else:
        assert "decoder.new_rows" in moved
        assert bool(in_llm) == (decoder == "lora") and all(".lora_" in name for name in in_llm)


@pytest.mark.parametrize(
    "keys, message",
    [
        (
            {"decoder": "lora", "decoder_conf": {"lora": {"r": "two"}}},
            r"decoder_conf .*'two'.*: no hf_causal_lm can be",
        ),
        (
            {"specaug": "specaug", "specaug_conf": {"freq_mask_width_range": "x"}},
            "specaug_conf .*: no specaug can be",
        ),
    ],
)
def test_options_that_a_component_cannot_be_made_with_are_named_with_its_slot(
    tiny_model, tiny_llm, keys, message
):
    if "decoder_conf" in keys:
        keys = {**keys, "decoder_conf": {"model": str(tiny_llm), **keys["decoder_conf"]}}
    with pytest.raises(ValueError, match=message):
        tiny_model(**keys)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_configuration_takes_a_training_step(
    path, tiny_whisper, tiny_llm, tiny_tokenizer, make_batch
):
    config = load_config(path, [f"encoder_conf.model={tiny_whisper}", f"decoder_conf.model={tiny_llm}"])
    spoken = tiny_tokenizer.encode("dog the quick brown fox")
    model = build_model(config, tiny_tokenizer, spoken, tasks=3)
    for phase in config["phases"]:
        moved = train_step(model, make_batch(ROWS), phase.get("loss_weights", {"lm": 1.0}))
        assert any(name.startswith("adapter.") for name in moved)


@pytest.mark.parametrize("path", FINE_TUNING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_fine_tuning_trains_the_llm_of_a_pretrained_model_alone(
    path, tiny_whisper, tiny_llm, tiny_tokenizer, make_batch, tmp_path
):
    tiny = [f"encoder_conf.model={tiny_whisper}", f"decoder_conf.model={tiny_llm}"]
    before, spoken = (
        load_config(ROOT / "egs/multitask/conf/pretrain.yaml", tiny),
        tiny_tokenizer.encode("dog"),
    )
    pretrained = build_model(before, tiny_tokenizer, spoken)
    export_model(pretrained, tiny_tokenizer, before, ["asr/en"], spoken, tmp_path)
    config = load_config(path, [f"init={tmp_path}"])
    model = build_from(config, tiny_tokenizer, spoken, 3)
    for phase in config["phases"]:
        moved = train_step(model, make_batch(ROWS), phase.get("loss_weights", {"lm": 1.0}))
        assert moved and all(name.startswith("decoder.") for name in moved)


def test_a_second_step_lowers_the_loss_of_the_same_batch(tiny_model, make_batch):
    model, batch = tiny_model(), make_batch(ROWS)
    before = model.eval()(**batch)[0]
    train_step(model, batch)
    assert model.eval()(**batch)[0] < before


def test_a_frozen_decoder_keeps_its_new_rows_trained(tiny_model):
    model = tiny_model(freeze_param=["decoder", "encoder"])
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert "decoder.new_rows" in trained and not any(
        name.startswith(("decoder.lm", "encoder.")) for name in trained
    )
    assert any(name.startswith("adapter.") for name in trained)


def test_a_frozen_decoder_keeps_its_lora_trained(tiny_model):
    model = tiny_model(decoder="lora", freeze_param=["decoder"])
    assert any(p.requires_grad for name, p in model.named_parameters() if ".lora_" in name)


def test_new_rows_freeze_when_named(tiny_model):
    assert not tiny_model(freeze_param=["decoder", "decoder.new_rows"]).decoder.new_rows.requires_grad


def test_a_prefix_ends_at_a_dot(tiny_model):
    model = tiny_model(freeze_param=["encoder.conv1"])
    assert not model.encoder.conv1.weight.requires_grad and model.encoder.conv2.weight.requires_grad
    with pytest.raises(ValueError, match="freeze_param: 'encoder.conv' names no parameter"):
        tiny_model(freeze_param=["encoder.conv"])


def test_a_prefix_that_matches_nothing_names_those_there_are(tiny_model):
    with pytest.raises(
        ValueError, match="freeze_param: 'encodr' names no parameter; they begin with adapter, ctc, dec"
    ):
        tiny_model(freeze_param=["encodr"])


def test_an_empty_slot_is_left_out(tiny_model):
    model = tiny_model(ctc=None)
    assert (
        model.ctc is None and model.specaug is None and not any("ctc" in name for name in model.state_dict())
    )


def test_weights_of_one_model_load_into_another_of_the_same_configuration(tiny_model, make_batch):
    trained, fresh, batch = tiny_model(decoder="lora"), tiny_model(decoder="lora"), make_batch(ROWS)
    train_step(trained, batch)
    fresh.load_state_dict(trained.state_dict())
    fresh.loss_weights = trained.loss_weights
    assert torch.equal(trained.eval()(**batch)[0], fresh.eval()(**batch)[0])
