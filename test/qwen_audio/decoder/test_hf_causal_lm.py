import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_audio.decoder.hf_causal_lm import HfCausalLm

NEW = ["<|en|>", "<|0.00|>", "<|0.01|>"]
BASE = 320  # tokens of the tiny LLM; its embedding has 328 rows


def step(decoder, ids):
    """One optimizer step on the next tokens of ``ids`` (B, L); returns the names of parameters that moved."""
    before = {name: p.detach().clone() for name, p in decoder.named_parameters()}
    optimizer = torch.optim.SGD([p for p in decoder.parameters() if p.requires_grad], lr=1.0)
    logits = run(decoder, ids)
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    optimizer.step()
    return {name for name, p in decoder.named_parameters() if not torch.equal(p, before[name])}


def run(decoder, ids):
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    hidden, _ = decoder(decoder.embed(ids), torch.ones_like(ids), positions)
    return decoder.logits(hidden)


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def folder(request, random_llama, tmp_path):
    random_llama(tmp_path, 328, tied=request.param)
    return str(tmp_path)


def test_equals_transformers_logits_for_base_tokens(folder):
    ids = torch.tensor([[5, 9, 300, 7]])
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(input_ids=ids).logits
    ours = run(HfCausalLm(BASE, NEW, folder).eval(), ids)
    torch.testing.assert_close(ours[..., :BASE], expected[..., :BASE], atol=1e-5, rtol=0)


def test_logits_are_the_base_tokens_then_the_new_ones_without_spare_rows(folder):
    decoder = HfCausalLm(BASE, NEW, folder)
    assert decoder.vocab_size == BASE + 3 and run(decoder, torch.tensor([[1, BASE, BASE + 2]])).shape == (
        1,
        3,
        BASE + 3,
    )


def test_spare_rows_are_never_used(folder):
    """What stands in the rows past the tokenizer's vocabulary changes neither start values nor results."""
    ids = torch.tensor([[5, BASE, BASE + 1, 7]])
    clean, dirty = HfCausalLm(BASE, NEW, folder), AutoModelForCausalLM.from_pretrained(folder)
    dirty.get_input_embeddings().weight.data[BASE:] = 1e6
    dirty.get_output_embeddings().weight.data[BASE:] = 1e6
    dirty.save_pretrained(folder)
    torch.testing.assert_close(run(HfCausalLm(BASE, NEW, folder), ids), run(clean, ids))


def test_a_new_id_embeds_as_its_new_row(folder):
    decoder = HfCausalLm(BASE, NEW, folder)
    embedded = decoder.embed(torch.tensor([BASE - 1, BASE, BASE + 2]))
    expected = torch.stack([decoder.base_rows()[-1], decoder.new_rows[0], decoder.new_rows[2]])
    assert torch.equal(embedded, expected)


def test_new_rows_train_around_a_frozen_llm(folder):
    decoder = HfCausalLm(BASE, NEW, folder)
    decoder.lm.requires_grad_(False)
    output_rows = set() if decoder.new_output_rows is None else {"new_output_rows"}
    assert step(decoder, torch.tensor([[5, BASE, BASE + 1, 7]])) == {"new_rows"} | output_rows


def test_an_untied_llm_has_output_rows_of_its_own_for_new_tokens(random_llama, tmp_path):
    random_llama(tmp_path, 328, tied=False)
    assert HfCausalLm(BASE, NEW, str(tmp_path)).new_output_rows.shape == (3, 32)
    random_llama(tmp_path, 328, tied=True)
    assert HfCausalLm(BASE, NEW, str(tmp_path)).new_output_rows is None


def test_without_new_tokens_there_are_no_new_rows(folder):
    decoder = HfCausalLm(BASE, [], folder)
    assert decoder.new_rows is None and run(decoder, torch.tensor([[1, 2]])).shape == (1, 2, BASE)


def test_lora_trains_its_own_weights_and_the_new_rows_alone(folder):
    decoder = HfCausalLm(BASE, NEW, folder, lora={"r": 2, "lora_alpha": 4})
    moved = step(decoder, torch.tensor([[5, BASE, BASE + 1, 7]]))
    # lora_A: B starts at 0
    assert moved and all(".lora_B." in name or name.startswith("new_") for name in moved)
    # 7 linear layers a block
    assert "new_rows" in moved and sum(".lora_B." in name for name in moved) == 2 * 7
    trained = {name for name, p in decoder.named_parameters() if p.requires_grad}
    assert all(".lora_" in name or name.startswith("new_") for name in trained)


def test_lora_starts_as_the_llm_itself(folder):
    ids = torch.tensor([[5, BASE, 7]])
    plain, lora = HfCausalLm(BASE, NEW, folder), HfCausalLm(BASE, NEW, folder, lora={"r": 2})
    torch.testing.assert_close(run(lora, ids), run(plain, ids))


def test_a_mistyped_lora_option_is_answered_with_the_nearest(folder):
    with pytest.raises(
        ValueError, match="decoder_conf.lora.lora_alfa: no such option; did you mean 'lora_alpha'"
    ):
        HfCausalLm(BASE, NEW, folder, lora={"lora_alfa": 4})


@pytest.mark.parametrize("options, fault", [
    ({"modules_to_save": ["lm_head"]}, "modules_to_save: whole weights are not trained beside LoRA; leave it out"),
    ({"target_modules": ["q_proj", "embed_tokens"]}, "target_modules: .*'embed_tokens'.* names the embedding or the"),
    ({"target_modules": ["q_proj", "lm_head"]}, "target_modules: .*'lm_head'.* names the embedding or the output"),
])  # fmt: skip
def test_lora_options_that_would_reach_further_are_refused(folder, options, fault):
    with pytest.raises(ValueError, match=f"decoder_conf.lora.{fault}"):
        HfCausalLm(BASE, NEW, folder, lora={"r": 2, **options})


def test_a_tokenizer_with_more_tokens_than_the_embedding_names_the_stage(folder):
    with pytest.raises(
        ValueError, match=r"for 328 tokens, the tokenizer is of 329; make .* again \(stage 2\)"
    ):
        HfCausalLm(329, NEW, folder)


def test_gradient_checkpointing_changes_no_gradient(folder):
    grads = []
    for checkpointing in (False, True):
        decoder = HfCausalLm(BASE, NEW, folder, gradient_checkpointing=checkpointing).train()
        step(decoder, torch.tensor([[5, BASE, BASE + 1, 7]]))
        grads.append(decoder.new_rows.grad)
    torch.testing.assert_close(*grads)


def test_a_cache_gives_what_one_pass_gives(folder):
    decoder = HfCausalLm(BASE, NEW, folder).eval()
    ids = torch.tensor([[5, BASE, BASE + 1, 7]])
    whole = run(decoder, ids)
    one, cache = decoder(
        decoder.embed(ids[:, :3]), torch.ones(1, 3).long(), torch.arange(3)[None], use_cache=True
    )
    two, _ = decoder(
        decoder.embed(ids[:, 3:]), torch.ones(1, 4).long(), torch.tensor([[3]]), cache, use_cache=True
    )
    torch.testing.assert_close(decoder.logits(torch.cat([one, two], dim=1)), whole, atol=1e-5, rtol=0)


def test_random_weights_have_the_same_shape(folder):
    pretrained, fresh = HfCausalLm(BASE, NEW, folder), HfCausalLm(BASE, NEW, folder, pretrained=False)
    shapes = {name: tensor.shape for name, tensor in pretrained.state_dict().items()}
    assert {name: tensor.shape for name, tensor in fresh.state_dict().items()} == shapes
    assert not torch.equal(fresh.base_rows(), pretrained.base_rows())
