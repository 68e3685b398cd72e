"""What of a model learns, and in which mode its frozen parts are."""

import pytest
import torch

ROWS = [  # samples, question, answer, task, transcript
    (8000, "", "a dog barks", 0, "dog"),
    (4800, "what is it", "bell", 2, ""),
    (16100, "", "the quick brown fox", 0, "the quick brown fox"),
]


def test_gradients_reach_the_encoder_through_a_frozen_llm(tiny_model, make_batch):
    model = tiny_model()
    model.loss_weights = {"lm": 1.0}
    model(**make_batch(ROWS))[0].backward()
    assert model.encoder.conv1.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.decoder.lm.parameters())


def test_the_ctc_loss_leaves_the_decoder_alone(tiny_model, make_batch):
    """The embeddings are its targets; it must not move them."""
    model = tiny_model(decoder="transformer")
    model.loss_weights = {"ctc": 1.0}
    model(**make_batch(ROWS))[0].backward()
    assert all(p.grad is None for p in model.decoder.parameters())
    assert model.encoder.conv1.weight.grad.abs().sum() > 0


def test_a_frozen_encoder_keeps_no_graph(tiny_model, make_batch):
    model = tiny_model(freeze_param=["decoder", "encoder"])
    seen = []
    model.adapter.register_forward_pre_hook(lambda module, args: seen.append(args[0].requires_grad))
    model(**make_batch(ROWS))[0].backward()
    assert seen == [False] and model.adapter.proj.weight.grad.abs().sum() > 0


def test_a_frozen_conformer_hears_in_training_as_in_use(tiny_model, make_batch):
    model = tiny_model("conformer", freeze_param=["encoder", "adapter", "decoder"])
    batch = make_batch(ROWS[:3])
    statistics = {name: value.clone() for name, value in model.encoder.named_buffers()}
    in_use = model.eval().encode(batch["speech"], batch["speech_lengths"])
    in_training = model.train().encode(batch["speech"], batch["speech_lengths"])
    torch.testing.assert_close(in_training, in_use, rtol=0, atol=0)
    assert any("running_mean" in name for name in statistics)
    assert all(torch.equal(value, statistics[name]) for name, value in model.encoder.named_buffers())


def test_frozen_layers_of_an_encoder_that_is_trained_stay_in_evaluation(tiny_model):
    model = tiny_model("conformer", freeze_param=["encoder.encoders.0", "adapter"]).train()
    assert model.encoder.training and model.encoder.embed.training and model.decoder.training
    assert not any(module.training for module in model.encoder.encoders[0].modules())
    assert not model.adapter.training and model.frontend.training
    assert not any(module.training for module in model.eval().modules())


@pytest.mark.parametrize("decoder", ["frozen", "lora"])
def test_a_decoder_is_in_training_mode_as_a_whole(tiny_model, decoder):
    assert all(module.training for module in tiny_model(decoder=decoder).train().decoder.modules())
