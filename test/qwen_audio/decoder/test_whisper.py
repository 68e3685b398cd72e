import pytest
import torch
from transformers import WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from qwen_audio.decoder.whisper import Whisper
from qwen_audio.infer.prefix import Prefix

NEW = ["<|sil|>", "[[[AUDIO:modality]]]"]


@pytest.fixture(scope="module")
def theirs(whole_whisper):
    return WhisperForConditionalGeneration.from_pretrained(whole_whisper).eval()


@pytest.fixture(scope="module")
def decoder(whole_whisper, theirs):
    return Whisper(theirs.config.vocab_size, NEW, str(whole_whisper)).eval().requires_grad_(False)


@pytest.fixture
def frames():
    return torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))


def join(decoder, texts, frames, lengths=None):
    text = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
    lengths = torch.full((len(texts),), frames.shape[1]) if lengths is None else torch.tensor(lengths)
    placeholder = decoder.vocab_size - 1
    return decoder.join(text, torch.tensor([len(text) for text in texts]), frames, lengths, placeholder)


def run(decoder, inputs):
    hidden, _ = decoder(inputs.embeddings, inputs.mask, inputs.positions, memory=inputs.memory)
    return decoder.logits(hidden)


def test_its_logits_are_those_of_transformers(decoder, theirs, frames):
    audio = decoder.vocab_size - 1
    ids = [[300, 5, 9, 77], [3, 4, 5, 6]]
    with torch.no_grad():
        expected = theirs(encoder_outputs=BaseModelOutput(frames), decoder_input_ids=torch.tensor(ids)).logits
    ours = run(decoder, join(decoder, [[audio, *row] for row in ids], frames))
    torch.testing.assert_close(ours[..., : expected.shape[2]], expected, atol=1e-4, rtol=1e-4)
    assert ours.shape[2] == expected.shape[2] + len(NEW)


def test_the_placeholder_takes_no_position_wherever_it_stands(decoder, frames):
    audio = decoder.vocab_size - 1
    first, inside = (
        join(decoder, [text, [audio, 1]], frames) for text in ([audio, 5, 6, 7], [5, 6, audio, 7])
    )
    assert first.starts[0].tolist()[1:] == [0, 1, 2] and inside.starts[0, [0, 1, 3]].tolist() == [0, 1, 2]
    assert first.lengths.tolist() == inside.lengths.tolist() == [3, 1]
    torch.testing.assert_close(run(decoder, first)[0], run(decoder, inside)[0])


def test_a_clip_and_its_text_alone_get_what_they_get_in_any_batch(decoder, frames):
    audio = decoder.vocab_size - 1
    texts, lengths = [[audio, 5, 6, 7, 8], [audio, 9, 10]], [9, 4]
    garbage = frames.clone()
    garbage[1, 4:] = 1e4
    together = run(decoder, join(decoder, texts, garbage, lengths))
    for row, (text, n) in enumerate(zip(texts, lengths)):
        alone = run(decoder, join(decoder, [text], frames[row : row + 1, :n]))
        torch.testing.assert_close(together[row, : len(text) - 1], alone[0], atol=1e-4, rtol=1e-4)


def test_reading_step_by_step_in_another_order_gives_what_one_pass_gives(decoder, frames):
    audio = decoder.vocab_size - 1
    whole = run(decoder, join(decoder, [[audio, 5, 6, 7], [audio, 8, 9, 10]], frames, [9, 4]))
    empty = Prefix.start(decoder, join(decoder, [[audio], [audio]], frames, [9, 4]))
    text = torch.tensor([[8, 9], [5, 6], [8, 9]])
    prefix = empty.select(torch.tensor([1, 0, 1])).extend(
        decoder, decoder.embed(text), torch.tensor([2, 2, 2])
    )
    prefix = prefix.select(torch.tensor([1, 2])).append(decoder, torch.tensor([7, 10]))
    torch.testing.assert_close(decoder.logits(prefix.hidden), whole[:, 2], atol=1e-4, rtol=1e-4)
    again = empty.select(torch.tensor([0])).extend(decoder, decoder.embed(text[1:2]), torch.tensor([2]))
    torch.testing.assert_close(decoder.logits(again.hidden), whole[:1, 1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "texts, counts", [([[5, 6]], "0"), ([[-1, 5, -1]], "2"), ([[-1, 5], [-1, -1]], "1, 2")]
)
def test_a_text_with_another_number_of_audios_is_refused(decoder, frames, texts, counts):
    texts = [[decoder.vocab_size - 1 if id < 0 else id for id in text] for text in texts]
    with pytest.raises(ValueError, match=f"reads one audio a text; here are texts with {counts}$"):
        join(decoder, texts, frames[: len(texts)])


def test_a_text_longer_than_its_positions_is_refused(decoder, frames):
    audio = decoder.vocab_size - 1
    inputs = join(decoder, [[audio, *[7] * 64], [audio, 1]], frames)
    assert run(decoder, inputs).shape[:2] == (2, 64)
    with pytest.raises(ValueError, match="has 64 positions, a text has 65 tokens; leave out longer examples"):
        run(decoder, join(decoder, [[audio, *[7] * 65], [audio, 1]], frames))


def test_suppressed_tokens_are_never_written(whole_whisper, theirs, frames):
    size = theirs.config.vocab_size
    decoder = Whisper(size, NEW, str(whole_whisper), suppress=[7, 11]).eval()
    logits = run(decoder, join(decoder, [[size + 1, 5]], frames[:1]))[0, 0]
    assert (logits == float("-inf")).nonzero()[:, 0].tolist() == [7, 11]


def test_published_alignment_heads_travel_with_the_weights(decoder, whole_whisper):
    assert decoder.alignment_heads() == [(0, 3), (1, 0), (1, 2)]
    fresh = Whisper(decoder.base_size, NEW, str(whole_whisper), pretrained=False)
    assert fresh.alignment_heads() == [(1, head) for head in range(4)]  # the upper half
    fresh.load_state_dict(decoder.state_dict())
    assert fresh.alignment_heads() == decoder.alignment_heads()


def test_lora_trains_its_own_weights_and_the_new_rows_alone(whole_whisper, theirs, frames):
    size = theirs.config.vocab_size
    decoder = Whisper(size, NEW, str(whole_whisper), lora={"r": 2})
    run(decoder, join(decoder, [[size + 1, size, 6]], frames[:1])).square().mean().backward()
    moved = {name for name, p in decoder.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    # linear layers a block
    assert "new_rows" in moved and sum(".lora_B." in name for name in moved) == 2 * 10
    assert all(".lora_" in name or name == "new_rows" for name in moved)


def test_lora_can_be_added_when_the_weights_are_in(whole_whisper, theirs):
    size = theirs.config.vocab_size
    built, added = (
        Whisper(size, NEW, str(whole_whisper), lora={"r": 2}),
        Whisper(size, NEW, str(whole_whisper)),
    )
    added.add_lora({"r": 2})
    assert [(n, p.shape, p.requires_grad) for n, p in added.named_parameters()] == [
        (n, p.shape, p.requires_grad) for n, p in built.named_parameters()
    ]


def test_it_trains_by_the_yaml_of_any_model(whole_whisper, tmp_path, make_batch):
    """A few steps on one batch; encoder and decoder of the model both move."""
    from qwen_audio.build import build_model
    from qwen_audio.config import DEFAULTS, check_config, merge
    from qwen_audio.tokenizer import Tokenizer, build_from_hub

    build_from_hub(str(whole_whisper), tmp_path)
    backbone = {"model": str(whole_whisper)}
    config = merge(DEFAULTS, {"encoder_conf": backbone, "adapter": "identity", "decoder": "whisper",
                              "decoder_conf": backbone})  # fmt: skip
    check_config(config)
    tokenizer = Tokenizer(tmp_path)
    model = build_model(config, tokenizer)
    model.loss_weights = {"lm": 1.0}
    batch = make_batch([(8000, "", "a dog barks", 0, ""), (4800, "what is it", "bell", 0, "")], tokenizer)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = model(**batch)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert model.encoder.conv1.weight.grad.abs().sum() > 0 and losses[-1] < 0.7 * losses[0]
    alone = make_batch([(4800, "what is it", "bell", 0, "")], tokenizer)
    model.eval()
    both, (one, _, weight) = model(**batch), model(**alone)
    first = model(**make_batch([(8000, "", "a dog barks", 0, "")], tokenizer))
    torch.testing.assert_close(both[0] * both[2], first[0] * first[2] + one * weight, atol=1e-4, rtol=1e-4)
