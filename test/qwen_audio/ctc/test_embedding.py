import math

import pytest
import torch

from qwen_audio.ctc.embedding import Embedding

TOKENS = [7, 3, 11]  # what can be spoken; columns 1, 2, 3 are 3, 7, 11


@pytest.fixture
def rows():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def ctc():
    torch.manual_seed(1)
    return Embedding(6, TOKENS)


def clips(batch: int, frames: int) -> torch.Tensor:
    return torch.randn(batch, frames, 6, generator=torch.Generator().manual_seed(2))


def test_columns_follow_the_ids_order_and_others_are_minus_one(ctc):
    assert ctc.columns(torch.tensor([[3, 7, 11], [0, 8, 19]])).tolist() == [[1, 2, 3], [-1, -1, -1]]


def test_log_probs_are_a_distribution_over_blank_and_tokens(ctc, rows):
    log_probs = ctc.log_probs(clips(2, 5), rows)
    assert log_probs.shape == (2, 5, 4)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 5))


def test_a_frame_that_points_at_a_tokens_row_is_scored_as_that_token(ctc, rows):
    spoken = rows[sorted(TOKENS)]
    centred = spoken - spoken.mean(0)
    ctc.norm = torch.nn.Identity()
    assert ctc.log_probs(centred[None], rows)[0, :, 1:].argmax(-1).tolist() == [0, 1, 2]


def test_scores_are_scale_times_the_cosine_to_the_centred_row(ctc, rows):
    frame = clips(1, 1)
    log_probs = ctc.log_probs(frame, rows)[0, 0]
    normed = torch.nn.functional.layer_norm(frame[0, 0], (6,))
    spoken = rows[[3, 7, 11]]
    cosine = [torch.cosine_similarity(normed, row - spoken.mean(0), dim=0) for row in spoken]
    torch.testing.assert_close(log_probs[1] - log_probs[2], 16.0 * (cosine[0] - cosine[1]))


def test_the_loss_of_one_token_over_two_frames_is_the_sum_over_its_three_paths(ctc, rows):
    p = ctc.log_probs(clips(1, 2), rows)[0].exp().detach()
    loss, _ = ctc(clips(1, 2), torch.tensor([2]), rows, torch.tensor([[7]]), torch.tensor([1]))
    by_hand = -math.log(p[0, 2] * p[1, 2] + p[0, 0] * p[1, 2] + p[0, 2] * p[1, 0])
    assert loss.item() == pytest.approx(by_hand, abs=1e-5)


def test_the_loss_of_two_tokens_over_two_frames_is_its_one_path(ctc, rows):
    log_p = ctc.log_probs(clips(1, 2), rows)[0]
    loss, scored = ctc(clips(1, 2), torch.tensor([2]), rows, torch.tensor([[7, 3]]), torch.tensor([2]))
    assert loss.item() == pytest.approx(
        -(log_p[0, 2] + log_p[1, 1]).item(), abs=1e-5
    ) and scored.tolist() == [2]


def test_padding_changes_no_loss(ctc, rows):
    frames = torch.cat([clips(1, 4), torch.full((1, 3, 6), 50.0)], dim=1)
    alone, _ = ctc(clips(1, 4), torch.tensor([4]), rows, torch.tensor([[7, 11]]), torch.tensor([2]))
    padded, _ = ctc(frames, torch.tensor([4]), rows, torch.tensor([[7, 11, 0, 19]]), torch.tensor([2]))
    torch.testing.assert_close(padded, alone)


def test_a_clip_with_a_token_outside_the_list_is_left_out_as_a_whole(ctc, rows):
    """Token 8 is between 7 and 11: the next column's score must not stand in for it."""
    frames = clips(2, 4).requires_grad_()
    loss, scored = ctc(
        frames, torch.tensor([4, 4]), rows, torch.tensor([[7, 8], [7, 11]]), torch.tensor([2, 2])
    )
    assert loss[0] == 0 and loss[1] > 0 and scored.tolist() == [0, 2]
    loss.sum().backward()
    assert (frames.grad[0] == 0).all() and (frames.grad[1] != 0).any()


@pytest.mark.parametrize("frames, text, fits", [
    (2, [3, 7], True), (1, [3, 7], False), (3, [3, 3], True), (2, [3, 3], False), (4, [3, 3, 3], False),
    (5, [3, 3, 3], True), (0, [3], False),
])  # fmt: skip
def test_a_clip_with_too_few_frames_for_its_transcript_is_left_out(ctc, rows, frames, text, fits):
    clip = clips(1, 6).requires_grad_()
    loss, scored = ctc(clip, torch.tensor([frames]), rows, torch.tensor([text]), torch.tensor([len(text)]))
    assert (
        torch.isfinite(loss).all()
        and (loss.item() > 0) == fits
        and scored.item() == (len(text) if fits else 0)
    )
    loss.sum().backward()
    assert torch.isfinite(clip.grad).all() and clip.grad.any() == fits


@pytest.mark.parametrize("text", [torch.zeros(2, 0, dtype=torch.long), torch.full((2, 3), 8)])
def test_clips_without_transcript_cost_nothing(ctc, rows, text):
    frames = clips(2, 4).requires_grad_()
    loss, scored = ctc(frames, torch.tensor([4, 2]), rows, text, torch.tensor([0, 0]))
    assert loss.tolist() == [0, 0] and scored.tolist() == [0, 0]
    loss.sum().backward()
    assert not frames.grad.any()


def test_a_list_without_tokens_is_refused():
    with pytest.raises(
        ValueError, match="ctc: embedding has no token to emit; add transcripts or write ctc: null"
    ):
        Embedding(6, [])


def test_training_it_alone_learns_a_transcript(ctc, rows):
    """The frames move until the best path reads 7 11 3."""
    frames = clips(1, 8).clone().requires_grad_()
    optimizer = torch.optim.Adam([frames, *ctc.parameters()], lr=0.1)
    text = torch.tensor([[7, 11, 3]])
    for _ in range(60):
        optimizer.zero_grad()
        ctc(frames, torch.tensor([8]), rows, text, torch.tensor([3]))[0].sum().backward()
        optimizer.step()
    path = ctc.log_probs(frames, rows)[0].argmax(-1).unique_consecutive()
    assert [id for id in path.tolist() if id] == ctc.columns(text)[0].tolist()
