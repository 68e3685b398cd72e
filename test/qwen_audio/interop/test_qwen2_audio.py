import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

from qwen_audio.chat.chatml import answer_head, encode_dialogue
from qwen_audio.chat.free_text import FreeText
from qwen_audio.data.dialogue import Audio, Message, Text
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.grammar import text_mask
from qwen_audio.infer.load import load_model
from qwen_audio.infer.search import SearchOptions
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.shards import sha256
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, AUDIO_PAD

BASE = "<|audio_bos|><|AUDIO|><|audio_eos|>press two to"


@pytest.fixture(scope="module")
def theirs(qwen2_audio):
    return Qwen2AudioForConditionalGeneration.from_pretrained(qwen2_audio, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def processor(qwen2_audio):
    return AutoProcessor.from_pretrained(qwen2_audio)


@pytest.fixture(scope="module")
def imported(qwen2_audio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported") / "model"
    import_model([str(qwen2_audio)], folder)
    return load_model(folder)


@pytest.fixture(scope="module")
def chat(processor):
    messages = [
        {"role": "user", "content": [{"type": "audio", "audio_url": "a"}, {"type": "text", "text": "what"}]}
    ]
    return processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def noise(samples: int) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(samples)) * 0.1


def inputs_of(processor, text: str, wave: torch.Tensor) -> dict:
    return processor(text=text, audio=wave.numpy(), sampling_rate=16000, return_tensors="pt")


def collapsed(ids: torch.Tensor, placeholder: int) -> torch.Tensor:
    """Ids with one placeholder where the processor wrote one for each frame."""
    again = (ids[1:] == placeholder) & (ids[:-1] == placeholder)
    return ids[torch.cat([torch.tensor([True]), ~again])]


def hidden_of(imported, ids, wave):
    model = imported.model
    frames, lengths = imported.encode([wave])
    inputs = model.decode_inputs(ids[None], torch.tensor([len(ids)]), frames, lengths)
    hidden, _ = model.decoder(inputs.embeddings, inputs.mask, inputs.positions, memory=inputs.memory)
    return model.decoder.logits(hidden)[0]


@pytest.mark.parametrize("samples", [480000, 33333, 16000, 16001, 2000])
@pytest.mark.parametrize("form", ["base", "chat"])
def test_logits_are_transformers(imported, theirs, processor, chat, samples, form):
    given = inputs_of(processor, BASE if form == "base" else chat, noise(samples))
    with torch.no_grad():
        expected = theirs(**given).logits[0]
        ids = collapsed(given["input_ids"][0], theirs.config.audio_token_index)
        found = hidden_of(imported, ids, noise(samples))
    known = len(processor.tokenizer)
    assert found.shape[0] == expected.shape[0]
    torch.testing.assert_close(found[:, :known], expected[:, :known], atol=1e-4, rtol=0)


@pytest.mark.parametrize("samples", [480000, 20000])
@pytest.mark.parametrize("form", ["base", "chat"])
def test_greedy_text_is_transformers(imported, theirs, processor, chat, samples, form):
    given = inputs_of(processor, BASE if form == "base" else chat, noise(samples))
    ids = collapsed(given["input_ids"][0], theirs.config.audio_token_index).tolist()
    words = text_mask(imported.tokenizer)[: theirs.config.text_config.vocab_size]
    spare = range(len(processor.tokenizer), theirs.config.text_config.vocab_size)
    never = [*(~words).nonzero()[:, 0].tolist(), *spare]
    with torch.no_grad():
        expected = theirs.generate(**given, max_new_tokens=6, do_sample=False, suppress_tokens=never)
    clips = Clips(imported, [noise(samples)], [samples], [ids])
    end = imported.tokenizer.token_id("<|im_end|>")
    (answer,) = clips.answer([0], [ids], FreeText(imported.tokenizer, end), SearchOptions(max_new_tokens=6))
    new = expected[0, given["input_ids"].shape[1] :].tolist()
    assert answer.tokens == new and len(new) == 6
    assert imported.tokenizer.decode(new) == processor.decode(new)


def test_the_audio_tokens_keep_their_ids_and_take_our_names(imported, processor):
    for theirs, ours in (
        ("<|AUDIO|>", AUDIO_PAD),
        ("<|audio_bos|>", AUDIO_BEGIN),
        ("<|audio_eos|>", AUDIO_END),
    ):
        assert imported.tokenizer.token_id(ours) == processor.tokenizer.convert_tokens_to_ids(theirs)
    assert imported.tokenizer.base_size == len(processor.tokenizer)
    assert not {AUDIO_PAD, AUDIO_BEGIN, AUDIO_END, "<|im_end|>"}.intersection(imported.tokenizer.new_tokens)
    text = "the quick brown fox, 1234 times \u00e9\u4f60\u597d\n\n  ok"
    assert imported.tokenizer.encode(text) == processor.tokenizer.encode(text)


def test_a_tensor_without_a_place_is_named_and_can_be_left_out(qwen2_audio, tmp_path):
    source = shutil.copytree(qwen2_audio, tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    tensors["audio_tower.odd"] = torch.zeros(1)
    tensors["rotary.inv_freq"] = torch.zeros(1)
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(
        ValueError, match=r"1 tensor \(rotary.inv_freq\) of the source have no place here; --leave"
    ):
        import_model([source], tmp_path / "out", leave_out=["audio_tower.odd"])
    with pytest.raises(ValueError, match=r"1 tensor \(encoder.odd\) is left over"):
        import_model([source], tmp_path / "out", leave_out=["*.inv_freq"])
    with pytest.raises(ValueError, match="--leave_out 'x.*' fits no tensor"):
        import_model([source], tmp_path / "out", leave_out=["*.inv_freq", "*odd", "x.*"])
    assert not (tmp_path / "out/model.safetensors").exists()
    about = import_model([source], tmp_path / "out", leave_out=["*.inv_freq", "*odd"])
    assert about["tensors"] == {"placed": len(tensors) - 2, "left out": 2, "new": 2}


def test_a_missing_tensor_and_one_of_another_shape_are_named(qwen2_audio, tmp_path):
    source = shutil.copytree(qwen2_audio, tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    norm = tensors.pop("audio_tower.layer_norm.weight")
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(ValueError, match=r"1 tensor \(adapter.norm.weight\) is missing"):
        import_model([source], tmp_path / "out")
    save_file({**tensors, "audio_tower.layer_norm.weight": norm[1:]}, source / "model.safetensors")
    with pytest.raises(ValueError, match=r"adapter.norm.weight \(31,\), not \(32,\)\) is of another shape"):
        import_model([source], tmp_path / "out")


def test_shards_and_pickles_give_the_same_model_as_one_file(qwen2_audio, tmp_path):
    tensors = load_file(qwen2_audio / "model.safetensors")
    names = sorted(tensors)
    hashes = set()
    for suffix, save in (("safetensors", save_file), ("bin", torch.save)):
        source = shutil.copytree(
            qwen2_audio, tmp_path / suffix, ignore=shutil.ignore_patterns("*.safetensors")
        )
        base = "model.safetensors" if suffix == "safetensors" else "pytorch_model.bin"
        where = {name: f"part-{n % 3}.{suffix}" for n, name in enumerate(names)}
        for file in set(where.values()):
            save({name: tensors[name] for name in names if where[name] == file}, source / file)
        (source / f"{base}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
        import_model([source], tmp_path / f"out_{suffix}")
        hashes.add(sha256(tmp_path / f"out_{suffix}/model.safetensors"))
    import_model([qwen2_audio], tmp_path / "out")
    assert hashes == {sha256(tmp_path / "out/model.safetensors")}
    (tmp_path / "bin/part-1.bin").unlink()
    with pytest.raises(ValueError, match="names part-1.bin, which is not there; fetch the 3 shards"):
        import_model([tmp_path / "bin"], tmp_path / "out_bin")


def test_weights_are_stored_in_the_type_asked_for(qwen2_audio, tmp_path):
    import_model([qwen2_audio], tmp_path, dtype="bfloat16")
    stored = load_file(tmp_path / "model.safetensors")
    exact = load_file(qwen2_audio / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.bfloat16}
    assert torch.equal(stored["encoder.conv1.weight"], exact["audio_tower.conv1.weight"].bfloat16())
    with pytest.raises(ValueError, match="dtype 'bfloat'; did you mean 'bfloat16'"):
        import_model([qwen2_audio], tmp_path, dtype="bfloat")


def test_a_dialogue_is_written_as_its_own_chat_template_does(imported, processor):
    messages = [
        {"role": "user", "content": [{"type": "audio", "audio_url": "a"}, {"type": "text", "text": "what"}]},
        {"role": "assistant", "content": "a tone"},
        {
            "role": "user",
            "content": [{"type": "audio", "audio_url": "b"}, {"type": "text", "text": "and this?"}],
        },
    ]
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert "Audio 2: <|audio_bos|>" in text
    ours = [
        Message("user", (Audio("a"), Text("what"))),
        Message("assistant", (Text("a tone"),)),
        Message("user", (Audio("b"), Text("and this?"))),
    ]
    ids = encode_dialogue(ours, imported.tokenizer).ids + answer_head(imported.tokenizer)
    assert ids == processor.tokenizer(text)["input_ids"]
