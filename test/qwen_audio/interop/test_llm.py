import pytest
import qwen_layouts as layouts
import torch
from safetensors.torch import load_file

from qwen_audio.build import store_decoder
from qwen_audio.decoder.hf_causal_lm import HfCausalLm
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.llm import load_llm, read_shape
from qwen_audio.tags import RELEASED
from qwen_audio.tokenizer import Tokenizer, build_from_hub


@pytest.fixture(scope="module")
def first(tiny_llm, tmp_path_factory):
    """Folder of a random Qwen of the first generation, beside it code that must not run."""
    folder = tmp_path_factory.mktemp("first") / "Qwen-7B"
    layouts.write_checkpoint(folder, layouts.ranks_of(tiny_llm), 208, audio=False)
    for name in ("configuration_qwen.py", "modeling_qwen.py", "tokenization_qwen.py"):
        (folder / name).write_text('import sys; sys.exit("this must not run")\n')
    return folder


def test_a_decoder_of_the_first_generation_has_the_weights_and_tokens_an_import_gives(
    first, tiny_whisper, tmp_path
):
    import_model([tiny_whisper, first], tmp_path / "imported")
    build_from_hub(str(first), tmp_path / "tokenizer")
    ours, theirs = Tokenizer(tmp_path / "tokenizer"), Tokenizer(tmp_path / "imported/tokenizer")
    assert (ours.base_size, ours.new_tokens) == (theirs.base_size, theirs.new_tokens)
    assert ours.encode("press one, 12 \u4f60") == theirs.encode("press one, 12 \u4f60")
    decoder = HfCausalLm(ours.base_size, ours.new_tokens, str(first))
    imported = load_file(tmp_path / "imported/model.safetensors")
    state = decoder.state_dict()
    assert {f"decoder.{name}" for name in state} == {name for name in imported if name.startswith("decoder.")}
    assert all(torch.equal(state[name], imported[f"decoder.{name}"]) for name in state)
    ids = torch.tensor([[5, 9, 300, ours.token_id("<|en|>")]])
    positions = torch.arange(4)[None]
    hidden, _ = decoder(decoder.embed(ids), torch.ones_like(ids), positions)
    assert decoder.logits(hidden).isfinite().all() and all(p.requires_grad for p in decoder.parameters())


def test_its_shape_is_that_of_qwen2_which_transformers_knows(first):
    shape = read_shape(str(first))
    assert shape.model_type == "qwen2" and shape.intermediate_size == layouts.FFN
    assert HfCausalLm(300, [], str(first), pretrained=False).hidden_size == layouts.WIDTH


def test_half_precision_weights_stay_so_where_they_are_frozen_and_are_trained_in_float32(tiny_llm, tmp_path):
    ranks = layouts.ranks_of(tiny_llm)
    layouts.write_checkpoint(tmp_path / "half", ranks, 208, audio=False, dtype=torch.bfloat16)
    llm = load_llm(str(tmp_path / "half"))
    assert {param.dtype for param in llm.parameters()} == {torch.bfloat16}
    llm.lm_head.requires_grad_(False)
    store_decoder(llm, torch.bfloat16)
    assert {param.requires_grad: param.dtype for param in llm.parameters()} == {
        True: torch.float32,
        False: torch.bfloat16,
    }


def test_weights_that_do_not_fit_are_named(tiny_llm, tmp_path, write_config):
    layouts.write_checkpoint(tmp_path / "llm", layouts.ranks_of(tiny_llm), 208, audio=False)
    write_config(tmp_path / "llm", num_hidden_layers=layouts.LAYERS + 1)
    with pytest.raises(
        ValueError, match="llm: its weights do not fit its config.json: .*model.layers.2.self_attn"
    ):
        load_llm(str(tmp_path / "llm"))


def test_a_whole_qwen_audio_is_no_decoder_and_the_error_says_how_it_is_used(tiny_llm, tmp_path):
    ranks = layouts.ranks_of(tiny_llm)
    layouts.write_checkpoint(tmp_path / "whole", ranks, len(RELEASED), audio=True)
    with pytest.raises(
        ValueError, match=r"is a whole Qwen-Audio; qwen-audio import .*/whole DIR, and write init: DIR"
    ):
        HfCausalLm(300, [], str(tmp_path / "whole"))
