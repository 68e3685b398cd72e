import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    Qwen2AudioForConditionalGeneration,
)

from qwen_audio.infer.load import load_model
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.to_qwen2_audio import export

PADDED = {"pad_to": 30, "attend_padding": False}


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """(our folder, the exported one)."""
    folder = tmp_path_factory.mktemp("export")
    trained(folder / "ours", PADDED, frontend_conf={"round_up": True})
    export(folder / "ours", folder / "theirs")
    return folder / "ours", folder / "theirs"


def check_logits(folders, samples):
    """Those of the exported folder, by transformers' model and processor, are those of ours."""
    ours, theirs = (
        load_model(folders[0]),
        Qwen2AudioForConditionalGeneration.from_pretrained(folders[1]).eval(),
    )
    processor = AutoProcessor.from_pretrained(folders[1])
    wave = torch.randn(samples, generator=torch.Generator().manual_seed(0)) * 0.1
    prompt = "<|audio_bos|><|AUDIO|><|audio_eos|><|en|><|transcribe|>press two to go on"
    given = processor(text=prompt, audio=wave.numpy(), sampling_rate=16000, return_tensors="pt")
    text = ours.tokenizer
    tags = [
        text.token_id(name)
        for name in ("<audio>", "[[[AUDIO:modality]]]", "</audio>", "<|en|>", "<|transcribe|>")
    ]
    ids = torch.tensor([*tags, *text.encode("press two to go on")])
    with torch.inference_mode():
        expected = theirs(**given).logits[0]
        frames, lengths = ours.encode([wave])
        inputs = ours.model.decode_inputs(ids[None], torch.tensor([len(ids)]), frames, lengths)
        hidden, _ = ours.model.decoder(inputs.embeddings, inputs.mask, inputs.positions)
        found = ours.model.decoder.logits(hidden)[0]
    assert found.shape[1] == len(text) == expected.shape[1] - 8  # the LLM's spare rows
    torch.testing.assert_close(found, expected[:, : len(text)], atol=1e-4, rtol=0)


@pytest.mark.parametrize("samples", [480000, 20001])
def test_transformers_model_and_processor_load_it_and_give_our_logits(exported, samples):
    check_logits(exported, samples)


def random_llm(folder, tiny_llm, kind, **options):
    size = AutoConfig.from_pretrained(tiny_llm).vocab_size
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2}
    config = AutoConfig.for_model(kind, vocab_size=size, num_key_value_heads=1, **shape, **marks, **options)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)


def test_an_llm_that_scales_its_embeddings_does_so_there(trained, tiny_llm, tmp_path):
    model = random_llm(tmp_path / "llm", tiny_llm, "gemma", head_dim=16)
    trained(tmp_path / "ours", PADDED, {"model": model}, frontend_conf={"round_up": True})
    export(tmp_path / "ours", tmp_path / "theirs")
    check_logits((tmp_path / "ours", tmp_path / "theirs"), 20001)


@pytest.mark.parametrize("kind, options", [
    ("gemma2", {"head_dim": 16, "final_logit_softcapping": 30.0}),
    ("granite", {"logits_scaling": 8.0}),
])  # fmt: skip
def test_an_llm_that_changes_its_logits_is_named(trained, tiny_llm, tmp_path, kind, options):
    trained(tmp_path / "ours", PADDED, {"model": random_llm(tmp_path / "llm", tiny_llm, kind, **options)})
    with pytest.raises(ValueError, match=f"decoder_conf.model: {kind} cannot .* scales or caps its logits"):
        export(tmp_path / "ours", tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


def test_its_processor_writes_text_in_our_ids(exported):
    tokenizer, theirs = (
        load_model(exported[0]).tokenizer,
        AutoProcessor.from_pretrained(exported[1]).tokenizer,
    )
    text = "press one, 1234  to hear\n\nit \u00e9\u4f60\u597d again"
    assert theirs(text).input_ids == tokenizer.encode(text)
    assert theirs("<|0.54|>").input_ids == [tokenizer.token_id("<|0.54|>")]
    assert theirs.decode(tokenizer.encode(text)) == text


def test_imported_again_it_is_bit_identical(exported, tmp_path, same_model):
    import_model([exported[1]], tmp_path)
    same_model(tmp_path, exported[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_half_precision_model_comes_back_in_its_type(exported, tmp_path, same_model, dtype):
    import_model([exported[1]], tmp_path / "half", dtype=dtype)
    export(tmp_path / "half", tmp_path / "theirs")
    import_model([tmp_path / "theirs"], tmp_path / "again")
    same_model(tmp_path / "again", tmp_path / "half")


def test_lora_is_merged(trained, tmp_path):
    model = trained(tmp_path / "ours", PADDED, {"lora": {"r": 2}})
    export(tmp_path / "ours", tmp_path / "theirs")
    theirs = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path / "theirs")
    layer = model.decoder.lm.model.layers[0].self_attn.q_proj
    merged = layer.base_layer.weight + layer.get_delta_weight("default")
    torch.testing.assert_close(theirs.model.language_model.layers[0].self_attn.q_proj.weight, merged)
    import_model([tmp_path / "theirs"], tmp_path / "again")
    again = load_model(tmp_path / "again").model.decoder.lm.model.layers[0].self_attn.q_proj.weight
    torch.testing.assert_close(again, merged)


@pytest.mark.parametrize("keys, fault", [
    ({"encoder_conf": {"final_norm": True}}, "encoder_conf.final_norm: True cannot .* normalised after pooling"),
    ({"encoder_conf": {"pad_to": 30}}, "attend_padding: true cannot .* stops at the clip's end"),
    ({"adapter": "stack_linear"}, "adapter: stack_linear cannot be expressed in Qwen2-Audio; it is pool_linear"),
    ({"adapter_conf": {"stride": 4}}, r"adapter_conf.stride: 4 cannot .* pools by two"),
    ({"ctc": "embedding"}, "ctc: embedding has no place in Qwen2-Audio; --leave_out ctc drops it"),
])  # fmt: skip
def test_what_it_cannot_express_is_named(trained, tmp_path, keys, fault):
    trained(tmp_path / "ours", **keys)
    with pytest.raises(ValueError, match=fault):
        export(tmp_path / "ours", tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("kind, shape", [
    ("gpt2", {"n_embd": 16, "n_layer": 1, "n_head": 2}),
    ("gpt_neox", {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}),
    ("bloom", {"hidden_size": 16, "n_layer": 1, "n_head": 2}),
])  # fmt: skip
def test_an_llm_whose_tensors_have_no_names_there_is_named_before_anything_is_written(
    trained, tiny_llm, tmp_path, kind, shape
):
    size = len(AutoTokenizer.from_pretrained(tiny_llm))
    config = AutoConfig.for_model(kind, vocab_size=size, **shape)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "llm")
    trained(tmp_path / "ours", PADDED, {"model": str(tmp_path / "llm")})
    with pytest.raises(
        ValueError, match=rf"decoder_conf.model: {kind} cannot .* its decoder.lm.* has no name"
    ):
        export(tmp_path / "ours", tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("frontend, encoder, noted", [
    ({}, {}, ["frontend_conf.round_up: false", "encoder_conf.pad_to: null"]),
    ({"round_up": True}, {**PADDED, "hear_padding": False}, ["encoder_conf.hear_padding: false"]),
    ({"round_up": True}, PADDED, []),
])  # fmt: skip
def test_what_it_hears_a_little_differently_is_noted(trained, tmp_path, capsys, frontend, encoder, noted):
    trained(tmp_path / "ours", encoder, frontend_conf=frontend)
    export(tmp_path / "ours", tmp_path / "theirs")
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(said) == bool(noted)
    assert [
        note.partition(" (")[0] for line in said for note in line.partition("differently: ")[2].split("; ")
    ] == noted


def test_a_ctc_component_is_dropped_only_when_asked(trained, tmp_path):
    phases = [
        {"steps": 1, "loss_weights": weights}
        for weights in ({"lm": 0, "ctc": 1}, None, {"lm": 1, "ctc": 0.3})
    ]
    trained(tmp_path / "ours", ctc="embedding", phases=phases)
    search = "beam_size: 2\nctc_weight: 0.3\ntasks:\n  asr: {beam_size: 4, ctc_weight: 0.5}\n"
    (tmp_path / "ours/decode.yaml").write_text(search)
    export(tmp_path / "ours", tmp_path / "theirs", leave_out=["ctc"])
    Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path / "theirs")
    import_model([tmp_path / "theirs"], tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert again.model.ctc is None
    assert (again.search.beam_size, again.search.ctc_weight) == (2, 0.0)
    assert again.search.tasks == {"asr": {"beam_size": 4}}
    with pytest.raises(ValueError, match=r"--leave_out encoder \(valid: ctc, timestamp_head\)"):
        export(tmp_path / "ours", tmp_path / "theirs", leave_out=["encoder"])


def test_its_chat_template_writes_the_form_the_model_was_tuned_in(exported):
    said = [
        {"role": "user", "content": [{"type": "audio", "audio_url": "a"}, {"type": "text", "text": "what"}]}
    ]
    text = AutoProcessor.from_pretrained(exported[1]).apply_chat_template(said, tokenize=False)
    assert "user\nAudio 1:<|audio_bos|><|AUDIO|><|audio_eos|>\nwhat<|im_end|>" in text
