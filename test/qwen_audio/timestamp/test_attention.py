import numpy as np
import pytest
import torch

from qwen_audio.decoder.whisper import Whisper
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.pretrained import load_whisper
from qwen_audio.registry import component_class
from qwen_audio.timestamp.attention import Attended, Attention, attending, words_on
from qwen_audio.timestamp.path import sharpen

TEXTS = ["please leave a message", "the dog", "one", "old ones"]


@pytest.fixture(scope="module")
def llm(tiny_model, tiny_tokenizer):
    """A tiny encoder, adapter and Llama."""
    return LoadedModel(tiny_model().eval().requires_grad_(False), tiny_tokenizer, {}, ["asr"])


@pytest.fixture(scope="module")
def whisper(whole_whisper):
    return load_whisper(str(whole_whisper))


@pytest.fixture(params=["llm", "whisper"])
def loaded(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def sounds():
    draw = np.random.default_rng(0)
    return [(0.2 * draw.standard_normal(n)).astype(np.float32) for n in (24000, 9000, 16000, 31999)]


def listen(loaded, head, sounds, texts, **options):
    waves = [torch.from_numpy(sound) for sound in sounds]
    languages = ["en"] * len(sounds)
    clips = Clips(loaded, waves, [len(sound) for sound in sounds], head.prompts(loaded, languages))
    return head.listen(clips, list(range(len(sounds))), texts, languages, **options)


def test_it_is_the_head_that_its_name_in_yaml_stands_for():
    assert component_class("timestamp_head", "attention") is Attention


def test_the_audio_is_found_where_the_holes_of_a_batch_were_closed(llm, sounds, monkeypatch):
    """As they are for a sliding window; a Llama itself has none, so nothing else may differ."""
    head = Attention([[1, 0], [0, 1]])
    expected = listen(llm, head, sounds, TEXTS)
    monkeypatch.setattr(llm.model.decoder, "window", 0)
    for found, one in zip(listen(llm, head, sounds, TEXTS), expected, strict=True):
        assert np.allclose(found.matrix, one.matrix, atol=1e-4)


def test_an_llms_matrix_is_that_of_its_self_attention_onto_the_frames(llm, sounds):
    """Against transformers' own attentions of one pass over prompt, frames and text, put together by hand."""
    head, model, t = Attention([[1, 0], [0, 1]]), llm.model, llm.tokenizer
    found = listen(llm, head, sounds[:2], TEXTS[:2])[1]
    frames, _ = llm.encode([torch.from_numpy(sounds[1])])
    prompt, target = head.prompts(llm, ["en"])[0], t.encode(TEXTS[1])
    at = prompt.index(t.placeholder)
    parts = [model.decoder.embed(torch.tensor(prompt[:at])), frames[0]]
    parts.append(model.decoder.embed(torch.tensor(prompt[at + 1 :] + target)))
    model.decoder.lm.set_attn_implementation("eager")
    out = model.decoder.lm.model(inputs_embeds=torch.cat(parts)[None], output_attentions=True)
    model.decoder.lm.set_attn_implementation("sdpa")
    rows = slice(-len(target) - 1, None)
    onto = torch.stack([out.attentions[1][0, 0], out.attentions[0][0, 1]])[:, rows, at : at + len(frames[0])]
    expected = sharpen((onto / onto.sum(-1, keepdim=True)).detach().numpy())
    np.testing.assert_allclose(found.weights, expected, atol=2e-3)
    logits = model.decoder.logits(out.last_hidden_state[0, rows][:-1]).softmax(-1)
    chances = [logits[place, token].item() for place, token in enumerate(target)]
    np.testing.assert_allclose(found.chances, chances, rtol=1e-3)
    assert b"".join(found.tokens) == TEXTS[1].encode() and found.words == ["the", "dog"]


def test_whispers_weights_are_those_of_its_cross_attention(whisper, whole_whisper):
    from transformers import WhisperForConditionalGeneration
    from transformers.modeling_outputs import BaseModelOutput

    decoder: Whisper = whisper.model.decoder
    theirs = WhisperForConditionalGeneration.from_pretrained(
        whole_whisper, attn_implementation="eager"
    ).eval()
    frames, ids = torch.randn(1, 8, 32), torch.tensor([[300, 4, 9, 20]])
    with torch.no_grad():
        out = theirs(
            encoder_outputs=BaseModelOutput(frames), decoder_input_ids=ids, output_attentions=True
        ).cross_attentions
    steps = torch.arange(4)[None]
    with attending(decoder, [(0, 1), (1, 3)]) as seen:
        decoder(decoder.embed(ids), torch.ones_like(ids), steps, memory=(frames, torch.tensor([8])))
    for layer, number in ((0, 1), (1, 3)):
        torch.testing.assert_close(seen[layer, number], out[layer][:, number], atol=1e-5, rtol=1e-4)


def test_words_come_in_order_and_within_the_clip(loaded, sounds):
    for row, text, sound in zip(Attention().align(loaded, sounds, TEXTS, ["en"] * 4), TEXTS, sounds):
        times = [time for word in row for time in word[1:3]]
        assert [word[0] for word in row] == text.split()
        assert times == sorted(times) and times[0] >= 0 and times[-1] <= len(sound) / 16000
        assert all(0 <= confidence <= 1 for *_, confidence in row)


def test_a_clip_alone_gets_the_matrix_it_gets_in_any_batch(loaded, sounds):
    head = Attention()
    for together, sound, text in zip(listen(loaded, head, sounds, TEXTS), sounds, TEXTS):
        alone = listen(loaded, head, [sound], [text])[0]
        np.testing.assert_allclose(together.weights, alone.weights, atol=5e-3)
        np.testing.assert_allclose(together.chances, alone.chances, rtol=1e-3)


def test_an_empty_text_has_no_words(loaded, sounds):
    words = Attention().align(loaded, sounds[:3], ["", "the dog", " "], ["en"] * 3)
    assert [len(row) for row in words] == [0, 2, 0]
    alone = Attention().align(loaded, sounds[1:2], ["the dog"], ["en"])[0]
    for word, same in zip(words[1], alone, strict=True):
        assert word[0] == same[0] and word[1:] == pytest.approx(same[1:], abs=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 300])
def test_words_of_a_clip_too_short_for_a_frame_are_spaced_evenly_with_confidence_0(llm, sounds, samples):
    short = sounds[0][:samples]
    assert llm.model.num_frames(samples) == 0
    words = Attention().align(llm, [sounds[1], short, short], ["the dog", "it is", ""], ["en"] * 3)
    end = samples / 16000
    assert words[1] == [("it", 0.0, pytest.approx(end / 2), 0.0), ("is", pytest.approx(end / 2), end, 0.0)]
    assert words[2] == [] and [word[0] for word in words[0]] == ["the", "dog"]
    alone = Attention().align(llm, [short], ["it is"], ["en"])
    assert alone == [words[1]]


def test_it_transcribes_where_no_text_is_given(llm, sounds):
    words = Attention().words_of(llm, sounds[:2], ["en", "en"])
    clips = Attention().hear(llm, sounds[:2], ["en", "en"])
    written = Attention().transcribe(clips, [0, 1], ["en", "en"])
    assert any(written) and [[word[0] for word in row] for row in words] == [text.split() for text in written]


def test_the_heads_are_those_published_or_all_of_the_upper_half(llm, whisper, sounds):
    assert len(listen(llm, Attention(), sounds[:1], TEXTS[:1])[0].weights) == 2  # layer 1 of two, two heads
    assert len(listen(whisper, Attention(), sounds[:1], TEXTS[:1])[0].weights) == 3


@pytest.mark.parametrize("heads", [[[7, 0]], [[0, 9]], [[-1, 0]]])
def test_a_head_that_is_not_there_is_named(loaded, sounds, heads):
    with pytest.raises(ValueError, match=r"timestamp_head_conf.heads: .* the decoder has 0 to [13]"):
        Attention(heads).align(loaded, sounds[:1], TEXTS[:1], ["en"])
    assert loaded.model.decoder.body().config._attn_implementation == "sdpa"


def test_words_on_a_path_by_hand():
    """Frames of 0.1 s; tokens begin at frames 0, 3, 5, 6 and the end at 9, in a clip of 0.85 s."""
    tokens, chances = [b"go", b" rec", b"ord", b"."], np.array([0.5, 0.9, 0.7, 0.2])
    attended = Attended(np.zeros((1, 5, 10)), tokens, chances, ["go", "record."], frame=0.1, end=0.85)
    path = np.array([0, 3, 5, 6, 9])
    go, record = words_on(attended, path)
    assert go == ("go", 0.0, pytest.approx(0.3), 0.5)
    assert record == ("record.", pytest.approx(0.3), 0.85, pytest.approx(0.6))
    assert [word[1:3] for word in words_on(attended, path, shift=0.04)] == [
        pytest.approx((0.0, 0.34)),
        pytest.approx((0.34, 0.85)),
    ]


def test_characters_of_one_token_share_its_time():
    tokens = ["今天".encode(), "好".encode()]
    attended = Attended(np.zeros((1, 3, 8)), tokens, np.array([0.4, 0.8]), list("今天好"), frame=0.1, end=0.8)
    words = words_on(attended, np.array([0, 4, 7]))
    assert [word[1:] for word in words] == [
        pytest.approx((0.0, 0.2, 0.4)),
        pytest.approx((0.2, 0.4, 0.4)),
        pytest.approx((0.4, 0.7, 0.8)),
    ]
