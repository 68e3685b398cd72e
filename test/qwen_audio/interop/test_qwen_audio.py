import json
import math

import numpy as np
import pytest
import qwen_layouts as layouts
import torch
from torch.nn.functional import conv1d, gelu, layer_norm, linear, silu

from qwen_audio.infer.load import load_model
from qwen_audio.interop.assemble import import_model
from qwen_audio.tags import ADDED, RELEASED


@pytest.fixture(scope="module")
def ranks(tiny_llm):
    return layouts.ranks_of(tiny_llm)


@pytest.fixture(scope="module")
def released(ranks, tmp_path_factory):
    """(tensors of a Qwen-Audio, the model imported from it)."""
    folder = tmp_path_factory.mktemp("released")
    tensors = layouts.write_checkpoint(folder / "Qwen-Audio", ranks, len(RELEASED), audio=True)
    import_model([folder / "Qwen-Audio"], folder / "ours")
    return tensors, load_model(folder / "ours")


def rms_norm(x, weight):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight


def rotate(x):
    """Rotary positions, half and half: x (heads, L, d) with frequencies 10000 ** (-2 i / d)."""
    half = x.shape[-1] // 2
    rate = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(x.shape[1], dtype=torch.float64)[:, None] * rate
    cos, sin = angle.cos().float(), angle.sin().float()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def qwen_layer(x, weights, i):
    """A layer of Qwen's first generation (L, E) by its published equations."""
    w = {name.removeprefix(f"transformer.h.{i}."): tensor for name, tensor in weights.items()}
    normed = rms_norm(x, w["ln_1.weight"])
    stacked = linear(normed, w["attn.c_attn.weight"], w["attn.c_attn.bias"])
    q, k, v = (
        part.unflatten(1, (layouts.HEADS, -1)).transpose(0, 1) for part in stacked.split(layouts.WIDTH, 1)
    )
    scores = rotate(q) @ rotate(k).transpose(1, 2) / math.sqrt(q.shape[-1])
    future = torch.ones(len(x), len(x)).triu(1).bool()
    mixed = scores.masked_fill(future, -torch.inf).softmax(-1) @ v
    x = x + linear(mixed.transpose(0, 1).flatten(1), w["attn.c_proj.weight"])
    normed = rms_norm(x, w["ln_2.weight"])
    ffn = linear(normed, w["mlp.w1.weight"]) * silu(linear(normed, w["mlp.w2.weight"]))
    return x + linear(ffn, w["mlp.c_proj.weight"])


def whisper_block(x, weights, i):
    w = {name.removeprefix(f"transformer.audio.blocks.{i}."): tensor for name, tensor in weights.items()}
    heads, width = layouts.AUDIO_HEADS, layouts.STATE
    normed = layer_norm(x, (width,), w["attn_ln.weight"], w["attn_ln.bias"])
    q, k, v = (
        linear(normed, w[f"attn.{n}.weight"], w.get(f"attn.{n}.bias"))
        .unflatten(1, (heads, -1))
        .transpose(0, 1)
        for n in ("query", "key", "value")
    )
    mixed = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1) @ v
    x = x + linear(mixed.transpose(0, 1).flatten(1), w["attn.out.weight"], w["attn.out.bias"])
    normed = layer_norm(x, (width,), w["mlp_ln.weight"], w["mlp_ln.bias"])
    hidden = gelu(linear(normed, w["mlp.0.weight"], w["mlp.0.bias"]))
    return x + linear(hidden, w["mlp.2.weight"], w["mlp.2.bias"])


def test_each_language_model_layer_computes_the_published_equations(released):
    weights, loaded = released
    x = torch.randn(1, 11, layouts.WIDTH, generator=torch.Generator().manual_seed(0))
    lm = loaded.model.decoder.lm.model
    angles = lm.rotary_emb(x, torch.arange(11)[None])
    mask = torch.full((11, 11), -torch.inf).triu(1)[None, None]
    for i in range(layouts.LAYERS):
        found = lm.layers[i](x, attention_mask=mask, position_embeddings=angles)
        torch.testing.assert_close(found[0], qwen_layer(x[0], weights, i), atol=1e-5, rtol=0)


def test_logits_are_those_of_the_layers_norm_and_head(released):
    weights, loaded = released
    ids = torch.tensor([3, 100, 7, 260, 3])
    x = weights["transformer.wte.weight"][ids]
    for i in range(layouts.LAYERS):
        x = qwen_layer(x, weights, i)
    expected = linear(rms_norm(x, weights["transformer.ln_f.weight"]), weights["lm_head.weight"])
    decoder = loaded.model.decoder
    positions = torch.arange(5)[None]
    found = decoder.logits(decoder(decoder.embed(ids[None]), torch.ones_like(positions), positions)[0])[0]
    known = loaded.tokenizer.base_size
    torch.testing.assert_close(found[:, :known], expected[:, :known], atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples", [480000, 16000, 16160, 16161])
def test_audio_takes_the_released_way_encoder_pool_norm_projection(released, samples):
    weights, loaded = released
    wave = torch.randn(samples, generator=torch.Generator().manual_seed(0)) * 0.1
    mel, frames = loaded.model.frontend(wave[None], torch.tensor([samples]))
    of = {name.removeprefix("transformer.audio."): tensor for name, tensor in weights.items()}
    after_cnn = (int(frames) - 1) // 2 + 1
    mel = mel[:, : 2 * after_cnn]  # features of the clip in 30 s; the convolutions' own zeros follow
    x = gelu(conv1d(mel.transpose(1, 2), of["conv1.weight"], of["conv1.bias"], padding=1))
    x = gelu(conv1d(x, of["conv2.weight"], of["conv2.bias"], padding=1, stride=2))[0].T
    x = x + of["positional_embedding"][:after_cnn]  # attention stops at the clip's end
    for i in range(layouts.BLOCKS):
        x = whisper_block(x, weights, i)
    pooled = x[: len(x) // 2 * 2].unflatten(0, (-1, 2)).mean(1)
    normed = layer_norm(pooled, (layouts.STATE,), of["ln_post.weight"], of["ln_post.bias"])
    expected = linear(normed, of["proj.weight"], of["proj.bias"])
    found, lengths = loaded.encode([wave])
    assert lengths.tolist() == [len(expected)]
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples, span", [
    (480000, 752), (960000, 1502), (479999, 752), (479679, 751), (160000, 252), (16159, 27), (15839, 26), (1600, 4),
])  # fmt: skip
def test_a_clip_takes_the_span_of_the_released_length_rule(released, samples, span):
    """By hand: mel = samples // 160, T = (mel - 1) // 2 + 1, (T - 2) // 2 + 1 frames, begin and end; 30 s a window."""
    assert released[1].model.num_frames(samples) + 2 == span


def test_special_tokens_stand_after_the_ranks_in_the_released_order(released, ranks):
    tokenizer = released[1].tokenizer
    ids = [tokenizer.token_id(name) for name in RELEASED]
    assert ids == list(range(len(ranks), len(ranks) + len(RELEASED)))
    assert tokenizer.new_tokens == ADDED and tokenizer.base_size == len(ranks) + len(RELEASED)


def test_the_marks_of_audio_are_rows_of_the_embedding_and_no_other_row_moved(released):
    weights, loaded = released
    begin, end = (loaded.tokenizer.token_id(name) for name in ("<audio>", "</audio>"))
    embedded = loaded.model.decoder.embed(torch.arange(loaded.tokenizer.base_size))
    marks = weights["transformer.audio.audio_bos_eos_token.weight"]
    assert torch.equal(embedded[[begin, end]], marks)
    rest = [number for number in range(loaded.tokenizer.base_size) if number not in (begin, end)]
    assert torch.equal(embedded[rest], weights["transformer.wte.weight"][rest])


def test_the_chat_model_is_known_by_the_form_it_was_tuned_in(released, ranks, tmp_path):
    layouts.write_checkpoint(tmp_path / "chat", ranks, len(RELEASED), audio=True)
    (tmp_path / "chat/generation_config.json").write_text('{"chat_format": "chatml"}')
    import_model([tmp_path / "chat"], tmp_path / "out")
    chat = load_model(tmp_path / "out")
    assert "text" in chat.tasks and "text" not in released[1].tasks
    assert chat.tokenizer.answer_times and not released[1].tokenizer.answer_times


def test_word_times_are_decoded_in_the_released_form(released):
    head = released[1].timestamp_head()
    assert type(head).__name__ == "Tokens" and head.shared and released[1].shares_times
    (words,) = head.words_of(released[1], [np.zeros(16000, np.float32)], ["en"])
    times = [time for word in words for time in word[1:3]]
    assert times == sorted(times) and all(word[0] != "<|sil|>" for word in words)


def test_a_token_that_only_this_checkpoint_has_moves_the_ids_after_it(ranks, tmp_path):
    layouts.write_checkpoint(tmp_path / "chat", ranks, len(RELEASED) + 1, audio=True)
    with pytest.raises(
        ValueError, match=r"audio_start_id is \d+, <audio> has id \d+ .* own tokenization_qwen.py"
    ):
        import_model([tmp_path / "chat"], tmp_path / "out")
    layouts.write_token_list(tmp_path / "chat", "<|own|>")
    import_model([tmp_path / "chat"], tmp_path / "out")
    tokenizer = load_model(tmp_path / "out").tokenizer
    names = [*RELEASED[:-2], "<|own|>", *RELEASED[-2:]]
    vocabulary = json.loads((tokenizer.folder / "tokenizer.json").read_text())["added_tokens"]
    assert [token["content"] for token in vocabulary][: len(names)] == names
    assert tokenizer.token_id("<audio>") == len(ranks) + len(RELEASED) - 1 and tokenizer.new_tokens == ADDED


def test_the_text_model_alone_is_a_decoder(ranks, tiny_whisper, tmp_path):
    layouts.write_checkpoint(tmp_path / "Qwen-7B", ranks, 208, audio=False)
    with pytest.raises(
        ValueError, match=r"Qwen \(.*\) gives no encoder; name a Whisper or an ESPnet encoder too"
    ):
        import_model([tmp_path / "Qwen-7B"], tmp_path / "out")
    import_model([tiny_whisper, tmp_path / "Qwen-7B"], tmp_path / "out")
    tokenizer = load_model(tmp_path / "out").tokenizer
    assert tokenizer.token_id("<|extra_204|>") == len(ranks) + 207 and "<|en|>" in tokenizer.new_tokens


def test_a_config_without_a_key_and_a_folder_without_vocabulary_say_so(ranks, tmp_path):
    layouts.write_checkpoint(tmp_path / "source", ranks, len(RELEASED), audio=True)
    config = json.loads((tmp_path / "source/config.json").read_text())
    del config["audio"]["n_head"]
    (tmp_path / "source/config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config.json has no key audio.n_head"):
        import_model([tmp_path / "source"], tmp_path / "out")
    (tmp_path / "source/qwen.tiktoken").unlink()
    with pytest.raises(ValueError, match=r"holds no .tiktoken file; fetch .* qwen.tiktoken"):
        import_model([tmp_path / "source"], tmp_path / "out")


def test_a_pickle_that_holds_code_is_not_run(ranks, tmp_path):
    layouts.write_checkpoint(tmp_path / "source", ranks, len(RELEASED), audio=True)

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"transformer.wte.weight": Trap()}, tmp_path / "source/pytorch_model-00001-of-00002.bin")
    with pytest.raises(
        ValueError, match=r"pytorch_model-00001-of-00002.bin cannot be read: .*; fetch it again"
    ):
        import_model([tmp_path / "source"], tmp_path / "out")
    assert not (tmp_path / "sprung").exists()
