"""Every family of causal LLMs: what is read here gives the LLM's own logits, or is refused by name."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from qwen_audio.decoder.hf_causal_lm import HfCausalLm
from qwen_audio.infer.prefix import Prefix

ROWS, BASE, WINDOW = 64, 60, 4
SIZE = {
    "vocab_size": ROWS, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.2, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GPT = {
    "vocab_size": ROWS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.2,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SLIDING = {"sliding_window": WINDOW}
MIXED = {**SLIDING, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES = {  # the options that make it differ from a Llama
    "llama": {},
    "qwen2": {"use_sliding_window": True, **MIXED},
    "qwen3": {},
    "mistral": SLIDING,
    "mixtral": {"num_local_experts": 4},
    "olmo2": {},
    "smollm3": {},
    "starcoder2": SLIDING,
    "stablelm": {},
    "glm": {},
    "granite": {"logits_scaling": 8.0, "embedding_multiplier": 12.0},
    "cohere": {"logit_scale": 0.5},
    "cohere2": {"logit_scale": 0.5, **MIXED},
    "gemma": {},
    "gemma2": {"final_logit_softcapping": 0.5, **MIXED},
    "gemma3_text": MIXED,
    "nanochat": {"final_logit_softcapping": 0.5},
    "phi": {},
    "phi3": SLIDING,
    "persimmon": {},
    "falcon": {"num_kv_heads": 2, "new_decoder_architecture": True},
    "bloom": {"n_layer": 2, "n_head": 4},
    "gpt_neox": {},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 16, "init_std": 0.2},
    "biogpt": {},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 64, "init_std": 0.2},
    "gpt_neo": {
        "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": WINDOW,
    },
    "gpt2": GPT,
    "gptj": {**GPT, "rotary_dim": 4},
    "codegen": {**GPT, "rotary_dim": 4},
}  # fmt: skip
REFUSED = {
    "bert": {},  # reads both ways
    "mamba": {},  # has a state
    "lfm2": {"layer_types": ["conv", "full_attention"]},  # its convolutions are cached too
    "hyperclovax": {"logits_scaling": 4.0},  # multiplies where Granite divides
}


def build(kind, options, folder) -> HfCausalLm:
    """A random one whose last rows are those of new tokens."""
    given = options if "n_embd" in options else {**SIZE, **options}
    AutoConfig.for_model(kind, **given).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lm = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
        for parameter in lm.parameters():  # biases and norms too
            parameter.data += 0.05 * torch.randn_like(parameter)
    if (bias := getattr(lm.get_output_embeddings(), "bias", None)) is not None:
        bias.data[BASE:] = 0
    lm.save_pretrained(folder)
    decoder = HfCausalLm(BASE, ["<|en|>"] * (ROWS - BASE), str(folder)).eval()
    decoder.new_rows.data.copy_(decoder.lm.get_input_embeddings().weight[BASE:])
    if decoder.new_output_rows is not None:
        decoder.new_output_rows.data.copy_(decoder.lm.get_output_embeddings().weight[BASE:])
    return decoder


@torch.no_grad()
@pytest.mark.parametrize("kind", FAMILIES)
def test_logits_and_greedy_search_are_the_llms_own(kind, tmp_path):
    """At once as in training; and in a batch with a longer text, token by token from the cache."""
    decoder = build(kind, FAMILIES[kind], tmp_path)
    texts = torch.randint(3, ROWS, (2, 9), generator=torch.Generator().manual_seed(0))
    own = decoder.lm(input_ids=texts).logits
    assert own.std() > 0.01
    hidden, _ = decoder(decoder.embed(texts), None, None)
    torch.testing.assert_close(decoder.logits(hidden), own, atol=1e-4, rtol=1e-4)
    written, lengths = [texts[0, :3], texts[1]], torch.tensor([3, 9])
    prefix = Prefix.empty(2, "cpu").extend(decoder, decoder.embed(texts), lengths)
    for _ in range(6):
        found = decoder.logits(prefix.hidden)
        own = torch.stack([decoder.lm(input_ids=text[None]).logits[0, -1] for text in written])
        torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)
        chosen = found.argmax(-1)
        written = [torch.cat([text, token[None]]) for text, token in zip(written, chosen)]
        prefix = prefix.append(decoder, chosen)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_family_that_cannot_be_read_so_is_refused_by_name(kind, tmp_path):
    with pytest.raises(
        ValueError, match=f"^decoder_conf.model: an LLM of model_type {kind} cannot be read as the"
    ):
        build(kind, REFUSED[kind], tmp_path)


@pytest.mark.parametrize("kind", ["gpt2", "opt", "gptj"])
def test_a_text_past_the_positions_that_an_llm_has_is_refused(kind, tmp_path):
    decoder = build(kind, FAMILIES[kind], tmp_path)
    assert decoder.max_positions == 64
    ids = torch.ones(2, 65, dtype=torch.long)
    with torch.no_grad():
        decoder(decoder.embed(ids[:, :64]), None, None)
        with pytest.raises(
            ValueError, match="has 64 positions, a text has 65 tokens; leave out longer examples"
        ):
            decoder(decoder.embed(ids), None, None)
        prefix = Prefix.empty(2, "cpu").extend(decoder, decoder.embed(ids[:, :64]), torch.tensor([60, 64]))
        with pytest.raises(
            ValueError, match="has 64 positions, a text has 65 tokens; leave out longer examples"
        ):
            prefix.append(decoder, ids[:, 0])


@torch.no_grad()
def test_padding_past_the_positions_is_no_text(tmp_path):
    decoder = build("gpt2", FAMILIES["gpt2"], tmp_path)
    texts = torch.randint(3, ROWS, (2, 62), generator=torch.Generator().manual_seed(0))
    more = torch.randint(3, ROWS, (2, 9), generator=torch.Generator().manual_seed(1))
    prefix = Prefix.empty(2, "cpu").extend(decoder, decoder.embed(texts), torch.tensor([62, 20]))
    prefix = prefix.extend(decoder, decoder.embed(more), torch.tensor([2, 9]))
    for row, text in enumerate([torch.cat([texts[0], more[0, :2]]), torch.cat([texts[1, :20], more[1]])]):
        own = decoder.lm(input_ids=text[None]).logits[0, -1]
        torch.testing.assert_close(decoder.logits(prefix.hidden)[row], own, atol=1e-4, rtol=1e-4)


def test_a_llama_has_neither_an_end_nor_a_window(tmp_path):
    decoder = build("llama", {}, tmp_path)
    assert decoder.max_positions is None and decoder.window is None
