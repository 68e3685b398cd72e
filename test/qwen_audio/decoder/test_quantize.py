import sys

import pytest
import torch

from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, check_config, merge
from qwen_audio.decoder.quantize import quantize_llm
from qwen_audio.infer.load import load_model
from qwen_audio.model_folder import export_model


@pytest.fixture(scope="module")
def folder(tiny_whisper, tiny_llm, tiny_tokenizer, tmp_path_factory):
    """A random model whose LLM is mostly linear layers: width 256, 2 layers, LoRA on them."""
    from transformers import AutoConfig

    llm = tmp_path_factory.mktemp("wide_llm")
    shape = AutoConfig.from_pretrained(tiny_llm)
    shape.update(
        {
            "hidden_size": 256,
            "intermediate_size": 1024,
            "num_attention_heads": 4,
            "head_dim": 64,
            "initializer_range": 0.05,
        }
    )
    shape.save_pretrained(llm)
    options = {"model": str(llm), "pretrained": False, "lora": {"r": 2}}
    parts = {"encoder_conf": {"model": str(tiny_whisper)}, "decoder_conf": options}
    config = merge({**DEFAULTS, "phases": [{"steps": 1}]}, parts)
    check_config(config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(config, tiny_tokenizer)
        for name, parameter in model.named_parameters():
            if ".lora_B" in name:
                parameter.data.normal_(std=0.02)
    out = tmp_path_factory.mktemp("wide")
    export_model(model, tiny_tokenizer, config, ["asr/en", "text"], [], out)
    return out


def logits(loaded):
    decoder, ids = loaded.model.decoder, torch.tensor([[3, 100, 7, 260, 3]])
    positions = torch.arange(5)[None]
    with torch.inference_mode():
        hidden = decoder(decoder.embed(ids), torch.ones_like(positions), positions)[0]
        return decoder.logits(hidden).float()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("kind, off", [("8bit", 0.05), ("4bit", 0.45)])
def test_a_quantised_model_writes_nearly_the_same_logits(folder, kind, off, dtype):
    exact, found = logits(load_model(folder)), logits(load_model(folder, dtype=dtype, quantize=kind))
    change = (found - exact).norm() / exact.norm()
    assert 0 < change < off, change


@pytest.mark.parametrize("kind, low, high", [("8bit", 0.001, 0.02), ("4bit", 0.05, 0.12)])
def test_each_layer_is_off_by_what_so_many_bits_cost(folder, kind, low, high):
    whole, small = (load_model(folder, quantize=q).model.decoder.lm.model.layers for q in (None, kind))
    layers = [(name, layer) for name, layer in whole.named_modules() if isinstance(layer, torch.nn.Linear)]
    for name, layer in layers:
        x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(0))
        change = (small.get_submodule(name)(x) - layer(x)).norm() / layer(x).norm()
        assert low < change < high, name


def stored_bytes(module: torch.nn.Module) -> int:
    """Memory that its weights take, the scales of quantised ones included; tied ones once."""
    total = 0
    for parameter in module.parameters():
        total += parameter.nbytes
        state = getattr(parameter, "quant_state", None)
        for scales in (state, getattr(state, "state2", None)):
            total += (
                sum(x.nbytes for x in vars(scales).values() if isinstance(x, torch.Tensor)) if scales else 0
            )
        total += parameter.SCB.nbytes if getattr(parameter, "SCB", None) is not None else 0
    return total


@pytest.mark.parametrize("kind, bits", [("8bit", 8), ("4bit", 4)])
def test_linear_layers_take_as_many_bits_a_weight_and_some_for_the_scales(folder, kind, bits):
    whole, small = (load_model(folder, quantize=q).model.decoder.lm.model.layers for q in (None, kind))
    weights = sum(p.numel() for p in whole.parameters())
    assert stored_bytes(whole) == 4 * weights
    assert bits <= 8 * stored_bytes(small) / weights < bits + 0.5


def test_a_quantised_model_answers(folder):
    chat = load_model(folder, dtype="bfloat16", quantize="4bit").chat(max_new_tokens=5)
    assert isinstance(chat.ask("What is said?", audio=(torch.randn(8000).numpy() * 0.1, 16000)), str)


@pytest.mark.parametrize("kind", ["4bit", "8bit"])
def test_an_llm_of_any_width_is_quantised(tiny_model, kind):
    whole, small = (tiny_model(decoder="frozen").decoder.lm.eval() for _ in range(2))
    quantize_llm(small, kind, torch.float32)
    layer, x = (
        whole.model.layers[0].mlp.up_proj,
        torch.randn(3, 32, generator=torch.Generator().manual_seed(0)),
    )
    with torch.inference_mode():
        change = (small.model.layers[0].mlp.up_proj(x) - layer(x)).norm() / layer(x).norm()
    assert 0 < change < 0.12


def test_embeddings_norms_and_output_projection_are_not_quantised(folder):
    plain, small = (
        dict(load_model(folder, quantize=q).model.decoder.named_parameters()) for q in (None, "8bit")
    )
    changed = {name for name in plain if small[name].dtype != plain[name].dtype}
    assert changed == {name for name in plain if "proj" in name}
    assert all(torch.equal(small[name], plain[name]) for name in plain if name not in changed)


@pytest.mark.parametrize("kind, options, share", [
    ("gpt2", {"n_embd": 32, "n_layer": 1, "n_head": 2}, "0"),  # its layers are of another class
    ("mixtral", {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
                 "intermediate_size": 64, "num_local_experts": 8}, r"\d"),  # experts are one tensor
])  # fmt: skip
def test_an_llm_whose_weights_are_mostly_in_other_layers_is_named(kind, options, share):
    from transformers import AutoConfig, AutoModelForCausalLM

    lm = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, vocab_size=64, **options))
    with pytest.raises(
        ValueError, match=f"quantize 4bit: .* model_type {kind} they hold {share} % of the weights"
    ):
        quantize_llm(lm.requires_grad_(False), "4bit", torch.float32)


def test_an_unknown_kind_and_a_missing_library_say_what_to_write(folder, monkeypatch):
    with pytest.raises(ValueError, match=r"quantize '4bits'; did you mean '4bit'"):
        load_model(folder, quantize="4bits")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match="quantize 4bit needs bitsandbytes: pip install bitsandbytes"):
        load_model(folder, quantize="4bit")


def test_a_decoder_without_an_llm_is_named(tiny_whisper, tiny_tokenizer, tmp_path):
    parts = {"encoder_conf": {"model": str(tiny_whisper)}, "decoder": "transformer"}
    config = merge({**DEFAULTS, "phases": [{"steps": 1}]}, parts)
    export_model(build_model(config, tiny_tokenizer), tiny_tokenizer, config, ["asr/en"], [], tmp_path)
    with pytest.raises(
        ValueError, match="quantize 8bit: decoder transformer holds no LLM, hf_causal_lm does; leave"
    ):
        load_model(tmp_path, quantize="8bit")


def test_weights_that_would_be_trained_are_not_quantised(tiny_model):
    lm = tiny_model(decoder="frozen", freeze_param=[]).decoder.lm
    with pytest.raises(
        ValueError, match=r"decoder_conf.quantize: 4bit weights cannot be trained; add decoder_conf.lora"
    ):
        quantize_llm(lm, "4bit", torch.float32)
