import math

import numpy as np
import pytest
import torch

from qwen_audio.data.collate import make_batch as collate

ROWS = [
    (8000, "", "a dog barks", 0, "dog"),
    (4800, "what is it", "bell", 2, ""),
    (16100, "", "the quick brown fox", 0, "the quick brown fox"),
    (1600, "hear", "no", 1, ""),
]
WEIGHTS = [{"lm": 1.0}, {"lm": 1.0, "ctc": 0.3}, {"ctc": 1.0}, {"lm": 0.5, "ctc": 0.0}]


@pytest.fixture(scope="module")
def model(tiny_model):
    return tiny_model().eval()


@pytest.fixture(autouse=True)
def both_losses(model):
    model.loss_weights = {"lm": 1.0, "ctc": 0.3}


def losses_by_hand(model, batch, row: int) -> torch.Tensor:
    """Negative log probability of a row's tokens after the first, without padding or splice: (L - 1,)."""
    n, ids = batch["speech_lengths"][row], batch["text"][row, : batch["text_lengths"][row]]
    frames, lengths = model.encode(batch["speech"][row : row + 1, :n], n[None])
    rows = torch.cat([model.decoder.base_rows(), model.decoder.new_rows])
    vectors, at = [], []
    for id in ids:
        at.append(len(vectors))
        vectors += list(frames[0]) if id == model.placeholder else [rows[id]]
    hidden = model.decoder.lm.model(inputs_embeds=torch.stack(vectors)[None]).last_hidden_state[0]
    log_probs = (hidden @ rows.T).log_softmax(-1)
    return torch.stack([-log_probs[position - 1, id] for position, id in zip(at[1:], ids[1:])])


def test_token_losses_are_those_of_each_row_computed_by_hand(model, make_batch):
    batch = make_batch(ROWS)
    frames = model.encode(batch["speech"], batch["speech_lengths"])
    lengths = batch["text_lengths"]
    width = batch["text"].shape[1]
    places = torch.cat(
        [torch.arange(row * width + 1, row * width + length) for row, length in enumerate(lengths)]
    )
    losses = model.token_losses(batch["text"], lengths, *frames, places)
    by_hand = torch.cat([losses_by_hand(model, batch, row) for row in range(len(lengths))])
    torch.testing.assert_close(losses, by_hand, atol=1e-4, rtol=1e-4)


def test_the_loss_is_the_mean_over_supervised_tokens_alone(model, make_batch):
    model.loss_weights = {"lm": 1.0}
    batch = make_batch(ROWS[:2])
    mask = torch.zeros(batch["text"].shape, dtype=torch.bool)
    mask.flatten()[batch["loss_places"]] = True
    supervised = [losses_by_hand(model, batch, row)[mask[row, 1:length]]
                  for row, length in enumerate(batch["text_lengths"])]  # fmt: skip
    loss, stats, weight = model(**batch)
    torch.testing.assert_close(loss, torch.cat(supervised).mean(), atol=1e-4, rtol=1e-4)
    assert weight.tolist() == [sum(len(tokens) for tokens in supervised)] and stats["loss"] == loss


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_the_loss_of_many_is_the_weighted_mean_of_each_alone(model, make_batch, weights):
    model.loss_weights = weights
    loss, _, weight = model(**make_batch(ROWS))
    alone = [model(**make_batch([row])) for row in ROWS]
    assert weight == sum(w for _, _, w in alone)
    torch.testing.assert_close(loss[None], sum(one * w for one, _, w in alone) / weight, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("encoder", ["conformer", "e_branchformer"])
def test_so_it_is_with_encoders_from_scratch_in_evaluation(tiny_model, make_batch, encoder):
    model = tiny_model(encoder=encoder).eval()
    model.loss_weights = {"lm": 1.0, "ctc": 0.3}
    loss, _, weight = model(**make_batch(ROWS[:3]))
    alone = [model(**make_batch([row])) for row in ROWS[:3]]
    torch.testing.assert_close(loss[None], sum(one * w for one, _, w in alone) / weight, atol=1e-5, rtol=1e-5)


def test_the_two_losses_add_up_by_their_weights(model, make_batch):
    batch = make_batch(ROWS)
    both, stats, weight = model(**batch)
    model.loss_weights = {"lm": 1.0}
    lm = model(**batch)[0] * weight
    model.loss_weights = {"ctc": 1.0}
    ctc, _, spoken = model(**batch)
    torch.testing.assert_close(both * weight, lm + 0.3 * ctc * spoken)
    torch.testing.assert_close(stats["loss_ctc"], torch.stack([(ctc * spoken).squeeze(), spoken.squeeze()]))
    assert spoken.item() == batch["ctc_text_lengths"].sum()


def test_the_ctc_loss_is_torchs_over_the_adapters_frames(model, make_batch):
    model.loss_weights = {"ctc": 1.0}
    batch = make_batch([ROWS[2]])
    frames, lengths = model.encode(batch["speech"], batch["speech_lengths"])
    targets = model.ctc.columns(batch["ctc_text"])
    log_probs = model.ctc_log_probs(frames).transpose(0, 1)
    expected = torch.nn.functional.ctc_loss(
        log_probs, targets, lengths, batch["ctc_text_lengths"], reduction="sum"
    )
    torch.testing.assert_close(model(**batch)[0], expected / batch["ctc_text_lengths"].sum())


@pytest.mark.parametrize("weights, runs", [
    ({"ctc": 1.0}, ["ctc"]), ({"lm": 0.0, "ctc": 1.0}, ["ctc"]), ({"lm": 1.0}, ["decoder"]),
    ({"lm": 1.0, "ctc": 0.0}, ["decoder"]), ({"lm": 1.0, "ctc": 0.3}, ["ctc", "decoder"]),
])  # fmt: skip
def test_a_loss_without_weight_is_not_computed(model, make_batch, weights, runs):
    ran = []
    hooks = [
        getattr(model, slot).register_forward_hook(lambda *_, slot=slot: ran.append(slot))
        for slot in ("ctc", "decoder")
    ]
    model.loss_weights = weights
    model(**make_batch(ROWS))
    for hook in hooks:
        hook.remove()
    assert ran == runs


def test_a_transcript_with_a_token_that_ctc_does_not_know_is_left_out_and_counted(
    tiny_model, tiny_tokenizer, make_batch
):
    model = tiny_model(ctc_tokens=sorted(set(tiny_tokenizer.encode("dog")))).eval()
    model.loss_weights = {"ctc": 1.0}
    loss, stats, weight = model(**make_batch(ROWS))  # two of four have a transcript, one of them just "dog"
    assert stats["ctc_left_out"].tolist() == [1, 2] and weight.item() == len(tiny_tokenizer.encode("dog"))
    torch.testing.assert_close(loss, model(**make_batch(ROWS[:1]))[0], atol=1e-5, rtol=1e-5)


def test_statistics_tell_tasks_apart(model, make_batch):
    model.loss_weights = {"lm": 1.0}
    _, stats, weight = model(**make_batch(ROWS))
    alone = [model(**make_batch([row])) for row in ROWS]
    sums = [(loss * w).item() for loss, _, w in alone]
    assert stats["task_loss_sum"].tolist() == pytest.approx([sums[0] + sums[2], sums[3], sums[1]], rel=1e-4)
    tokens = [w.item() for _, _, w in alone]
    assert stats["task_tokens"].tolist() == [tokens[0] + tokens[2], tokens[3], tokens[1]]
    assert stats["task_tokens"].sum() == weight


def test_a_batch_without_supervised_token_has_weight_and_loss_zero(model, make_batch):
    model.loss_weights = {"lm": 1.0}
    batch = make_batch(ROWS)
    loss, _, weight = model(**{**batch, "loss_places": batch["loss_places"][:0]})
    assert loss.item() == 0 and weight.item() == 0


def test_features_made_before_give_the_loss_of_their_audio(model, make_batch):
    batch = make_batch(ROWS)
    features = model.collect_feats(batch["speech"], batch["speech_lengths"])
    made = {**batch, "speech": features["feats"], "speech_lengths": features["feats_lengths"]}
    torch.testing.assert_close(model(**made)[0], model(**batch)[0])


def test_num_frames_counts_the_positions_of_an_audio(model):
    for samples in (1600, 4801, 16000, 480000, 500000):
        frames, lengths = model.encode(torch.randn(1, samples), torch.tensor([samples]))
        assert model.num_frames(samples) == lengths.item() == frames.shape[1]


def test_the_frames_of_many_clips_are_counted_by_parts_that_know_one_number_alone(model, monkeypatch):
    asked = []

    def of_one(frames):
        asked.append(frames)
        return max(1, math.ceil(frames / 4))  # of an array, neither is defined

    monkeypatch.setattr(model.adapter, "num_frames", of_one)
    found = model.frames_of(np.array([16000, 1600, 16001, 160, 16000]))
    assert found.tolist() == [13, 2, 13, 1, 13] and found.dtype == np.int64
    assert asked == [1, 5, 50]
    assert model.frames_of(np.array([], np.int64)).tolist() == []


def test_the_decoder_reads_as_many_positions_as_the_batch_says_without_asking_the_device(model, make_batch):
    batch, read = make_batch(ROWS), []
    positions = [
        length - 1 + model.num_frames(samples)
        for length, samples in zip(batch["text_lengths"].tolist(), batch["speech_lengths"].tolist())
    ]
    hook = model.decoder.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))
    exact, asked, more = (
        model(**batch, longest=longest)[0] for longest in (max(positions), None, max(positions) + 3)
    )
    hook.remove()
    assert read == [max(positions), max(positions), max(positions) + 3] and exact == asked
    torch.testing.assert_close(more, exact, atol=1e-5, rtol=1e-5)


def test_a_padded_batch_needs_no_mask_and_gives_the_losses_of_one(model, make_batch):
    """With a mask attention loses its fastest kernels, and a GPU waits to see whether it hides anything."""
    batch, seen = make_batch(ROWS), []
    text, lengths = batch["text"], batch["text_lengths"]
    frames = model.encode(batch["speech"], batch["speech_lengths"])
    forward = model.decoder.forward

    def masked(embeddings, *given, memory):
        seen.extend(given)
        inputs = model.decode_inputs(text, lengths, *frames)
        return forward(embeddings, inputs.mask, inputs.positions, memory=memory)

    losses = model.token_losses(text, lengths, *frames, batch["loss_places"])
    model.decoder.forward = masked
    expected = model.token_losses(text, lengths, *frames, batch["loss_places"])
    del model.decoder.forward
    assert seen == [None, None]
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("weights", [{"lm": 1.0}, {"lm": 1.0, "ctc": 0.5, "timestamp": 0.5}])
def test_texts_without_audio_are_trained_and_have_no_transcript(tiny_model, tiny_tokenizer, weights):
    model = tiny_model(timestamp_head="ctc").eval()
    model.loss_weights = weights
    ids = np.array(tiny_tokenizer.encode("the quick brown fox"))
    row = {"text": ids, "supervised": np.arange(len(ids)) > 2, "task": 0, "speech": [], "ctc": []}
    loss, stats, weight = model(**collate(rows=[row], pad=tiny_tokenizer.pad))
    assert weight.item() == len(ids) - 3 and loss > 0
    assert stats["loss"] == loss and "loss_timestamp" not in stats
