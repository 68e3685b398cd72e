import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from qwen_audio.encoder.espnet import Conformer
from qwen_audio.infer.load import load_model
from qwen_audio.interop import to_hf, to_qwen2_audio
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.qwen_audio import ENCODER

CONFORMER = {
    "output_size": 16,
    "attention_heads": 2,
    "linear_units": 32,
    "num_blocks": 1,
    "cnn_module_kernel": 7,
}


def openai_names(state):
    """The encoder of a Hugging Face Whisper's state dict under OpenAI's names, by hand."""
    names = {
        "embed_positions.weight": "positional_embedding", "layers.": "blocks.", "self_attn.q_proj": "attn.query",
        "self_attn.k_proj": "attn.key", "self_attn.v_proj": "attn.value", "self_attn.out_proj": "attn.out",
        "self_attn_layer_norm": "attn_ln", "final_layer_norm": "mlp_ln", "fc1": "mlp.0", "fc2": "mlp.2",
    }  # fmt: skip
    renamed = {}
    for name, tensor in state.items():
        if name.startswith("encoder."):
            name = name.removeprefix("encoder.").replace(
                "layer_norm.", "ln_post.", name.startswith("encoder.layer_norm")
            )
            for theirs, ours in names.items():
                name = name.replace(theirs, ours)
            renamed[name] = tensor
    return renamed


def espnet_folder(folder, encoder, options, state, **more):
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"encoder": encoder, "encoder_conf": options, **more}))
    others = {"decoder.embed.weight": torch.zeros(2), "normalize.mean": torch.zeros(2)}
    torch.save({f"encoder.{name}": tensor for name, tensor in state.items()} | others, folder / "ave.pth")
    return folder


def test_a_whisper_and_a_language_model_make_a_model_with_a_new_adapter(tiny_whisper, tiny_llm, tmp_path):
    about = import_model([tiny_whisper, tiny_llm], tmp_path, overrides=["adapter=stack_linear"])
    loaded = load_model(tmp_path)
    whisper, llm = (load_file(folder / "model.safetensors") for folder in (tiny_whisper, tiny_llm))
    encoder, lm = loaded.model.encoder.state_dict(), loaded.model.decoder.lm.state_dict()
    assert all(torch.equal(encoder[name], whisper[f"encoder.{name}"]) for name in encoder)
    assert all(torch.equal(lm[name], llm[name]) for name in llm)
    kept = sum(name.startswith("encoder.") for name in whisper) + len(llm)
    of_adapter = len(loaded.model.adapter.state_dict())
    left = len(whisper) + len(llm) - kept
    assert about["tensors"] == {"placed": kept, "left out": left, "new": of_adapter + 1}
    assert (
        loaded.config["encoder_conf"]["pad_to"] == 30 and type(loaded.model.adapter).__name__ == "StackLinear"
    )


def test_the_same_import_twice_is_the_same_file(tiny_whisper, tiny_llm, tmp_path):
    import_model([tiny_whisper, tiny_llm], tmp_path)
    first = (tmp_path / "model.safetensors").read_bytes()
    import_model([tiny_whisper, tiny_llm], tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == first


def test_overrides_change_the_configuration_of_an_own_model_and_of_an_export(trained, same_model, tmp_path):
    trained(tmp_path / "ours", {"pad_to": 30, "attend_padding": False}, frontend_conf={"round_up": True})
    to_hf.export(tmp_path / "ours", tmp_path / "shared")
    to_qwen2_audio.export(tmp_path / "ours", tmp_path / "theirs")
    for source in ("ours", "shared", "theirs"):
        import_model([tmp_path / source], tmp_path / "out", overrides=["encoder_conf.pad_to=null"])
        loaded = load_model(tmp_path / "out")
        assert loaded.config["encoder_conf"]["pad_to"] is None and loaded.model.encoder.pad_to is None
        import_model([tmp_path / source], tmp_path / "out")
        same_model(tmp_path / "out", tmp_path / "ours")
        for item in ("encoder_cnf.pad_to=null", "encoder_conf.pad_two=null"):
            with pytest.raises(ValueError, match="did you mean '(encoder_conf|pad_to)'"):
                import_model([tmp_path / source], tmp_path / "out", overrides=[item])


def test_the_decoder_folder_makes_the_same_tokenizer_at_stage_2(tiny_whisper, tiny_llm, tmp_path):
    from qwen_audio.tokenizer import Tokenizer, build_from_hub

    import_model([tiny_whisper, tiny_llm], tmp_path / "model")
    build_from_hub(str(tmp_path / "model/decoder"), tmp_path / "again")
    first, again = Tokenizer(tmp_path / "model/tokenizer"), Tokenizer(tmp_path / "again")
    assert (first.base_size, first.new_tokens) == (again.base_size, again.new_tokens)
    assert first.encode("press one") == again.encode("press one")


def test_untied_heads_get_rows_of_their_own(tiny_whisper, tiny_llm, random_llama, tmp_path):
    source = shutil.copytree(tiny_llm, tmp_path / "llm")
    random_llama(source, 328, tied=False)
    import_model([tiny_whisper, source], tmp_path / "out")
    stored = load_file(tmp_path / "out/model.safetensors")
    assert not torch.equal(stored["decoder.new_rows"], stored["decoder.new_output_rows"])
    tied = json.loads((source / "config.json").read_text()) | {"tie_word_embeddings": True}
    (source / "config.json").write_text(json.dumps(tied))
    with pytest.raises(ValueError, match=r"lm_head.weight differs from decoder.lm.model.embed_tokens.weight"):
        import_model([tiny_whisper, source], tmp_path / "out")


@pytest.mark.parametrize("kind, unused", [("gpt2", "h.0.attn.bias"), ("bloom", None)])
def test_an_llm_is_read_as_released_without_its_output_projection(
    tiny_whisper, tiny_llm, tmp_path, kind, unused
):
    """Files of GPT-2 and BLOOM hold the body's names alone, and those of GPT-2 causal masks too."""
    from transformers import AutoConfig, AutoModelForCausalLM

    source, size = (
        shutil.copytree(tiny_llm, tmp_path / "llm"),
        AutoConfig.from_pretrained(tiny_llm).vocab_size,
    )
    shape = {"n_layer": 1, "n_head": 2, "n_embd" if kind == "gpt2" else "hidden_size": 16}
    lm = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, vocab_size=size, **shape))
    lm.save_pretrained(source)
    import_model([tiny_whisper, source], tmp_path / "whole")
    bare = {name: tensor.clone() for name, tensor in lm.transformer.state_dict().items()}
    masks = {unused: torch.ones(1, 1, 4, 4)} if unused else {}
    save_file(bare | masks, source / "model.safetensors", {"format": "pt"})
    about = import_model([tiny_whisper, source], tmp_path / "bare")
    whole, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "bare"))
    assert whole.keys() == found.keys() and all(torch.equal(found[name], whole[name]) for name in whole)
    assert any(name.startswith("decoder.lm.transformer.h.0.") for name in found)
    save_file(bare | {"h.0.odd": torch.ones(1)}, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        ValueError, match=r"1 tensor \(h.0.odd\) of the source have no place here; --leave_out"
    ):
        import_model([tiny_whisper, source], tmp_path / "odd")
    assert about["tensors"]["placed"] > len(bare)


def test_an_espnet_conformer_becomes_the_encoder(tiny_llm, tmp_path):
    torch.manual_seed(0)
    encoder = Conformer(80, **CONFORMER)
    source = espnet_folder(
        tmp_path / "asr", "conformer", CONFORMER, encoder.state_dict(), frontend_conf={"n_mels": 80}
    )
    about = import_model([source, tiny_llm], tmp_path / "out")
    found = load_model(tmp_path / "out").model.encoder.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in encoder.state_dict().items())
    assert about["tensors"]["left out"] == 2


def test_a_whisper_that_espnet_tuned_hears_as_the_hugging_face_one(tiny_whisper, tiny_llm, tmp_path):
    from transformers import WhisperConfig, WhisperModel

    torch.manual_seed(0)
    shape = {
        "d_model": 64,
        "encoder_layers": 2,
        "encoder_attention_heads": 1,
        "encoder_ffn_dim": 256,
        "init_std": 0.2,
    }
    theirs = WhisperModel(WhisperConfig(**shape, decoder_layers=1, decoder_attention_heads=1)).encoder.eval()
    state = openai_names({f"encoder.{name}": tensor for name, tensor in theirs.state_dict().items()})
    options = {"whisper_model": "small", "do_pad_trim": True}
    state = {f"encoders.{name}": tensor for name, tensor in state.items()}
    import_model([espnet_folder(tmp_path / "asr", "whisper", options, state), tiny_llm], tmp_path / "out")
    model = load_model(tmp_path / "out").model
    mel, lengths = model.frontend(torch.randn(1, 16000) * 0.1, torch.tensor([16000]))
    with torch.no_grad():
        expected = theirs(mel.transpose(1, 2)).last_hidden_state[:, :50]
        torch.testing.assert_close(model.encoder(mel, lengths)[0], expected, atol=1e-5, rtol=0)
    state = openai_names(load_file(tiny_whisper / "model.safetensors"))
    narrow = {f"encoders.{name}": tensor for name, tensor in state.items()}
    with pytest.raises(ValueError, match="conv1.weight is 32 wide; Whisper's are multiples of 64"):
        import_model(
            [espnet_folder(tmp_path / "narrow", "whisper", options, narrow), tiny_llm], tmp_path / "out"
        )


def test_every_line_of_openais_names_is_used(tiny_whisper):
    from qwen_audio.interop.name_map import NameMap

    state = {k.removeprefix("encoder."): v for k, v in load_file(tiny_whisper / "model.safetensors").items()}
    table = NameMap(ENCODER | {"ln_post.{part}": "layer_norm.{part}"})
    theirs = openai_names(load_file(tiny_whisper / "model.safetensors"))
    mapped = {table.targets(name)[0]: tensor for name, tensor in theirs.items()}
    assert all(mapped[name] is not None and torch.equal(mapped[name], state[name]) for name in mapped)
    assert len(mapped) == len(theirs) == sum(name in mapped for name in state)


def test_sources_that_do_not_fit_together_are_named(tiny_whisper, tiny_llm, qwen2_audio, tmp_path):
    with pytest.raises(
        ValueError, match=r"Whisper \(.*\) gives no decoder; name a causal language model too"
    ):
        import_model([tiny_whisper], tmp_path)
    with pytest.raises(
        ValueError, match=r"Qwen2-Audio \(.*\) and Whisper \(.*\) each give the encoder; name one"
    ):
        import_model([qwen2_audio, tiny_whisper], tmp_path)


@pytest.mark.parametrize("config, fault", [
    (None, "holds neither a config.json nor an ESPnet config.yaml"),
    ({"model_type": "wav2vec2"}, r"model_type 'wav2vec2' is not known here; what is: Qwen-Audio, Qwen2-Audio, Whisper"),
    ({"model_type": "llama"}, "holds no weights: neither model.safetensors nor pytorch_model.bin"),
])  # fmt: skip
def test_a_folder_that_is_no_checkpoint_says_what_would_be(config, fault, tmp_path):
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=fault):
        import_model([tmp_path], tmp_path / "out")


def test_two_espnet_checkpoints_and_an_unknown_encoder_are_named(tmp_path):
    folder = espnet_folder(tmp_path / "asr", "conformer", {}, {})
    shutil.copy(folder / "ave.pth", folder / "best.pth")
    with pytest.raises(ValueError, match="holds ave.pth, best.pth; leave the one to import"):
        import_model([folder], tmp_path / "out")
    folder = espnet_folder(tmp_path / "rnn", "vgg_rnn", {}, {})
    with pytest.raises(ValueError, match="encoder 'vgg_rnn' does not exist here"):
        import_model([folder], tmp_path / "out")


def test_sources_kept_in_half_precision_stay_so(tiny_whisper, tiny_llm, tmp_path):
    source = shutil.copytree(tiny_llm, tmp_path / "llm")
    halves = {name: tensor.half() for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(halves, source / "model.safetensors", {"format": "pt"})
    import_model([tiny_whisper, source], tmp_path / "out")
    stored = load_file(tmp_path / "out/model.safetensors")
    assert {tensor.dtype for name, tensor in stored.items() if name.startswith("decoder.")} == {torch.float16}
    assert stored["encoder.conv1.weight"].dtype == torch.float32
