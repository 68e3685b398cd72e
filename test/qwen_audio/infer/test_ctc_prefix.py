import itertools

import pytest
import torch

from qwen_audio.infer.ctc_prefix import CtcPrefixScorer


def random_log_probs(clips=2, frames=5, columns=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(clips, frames, columns, generator=draw, dtype=torch.float64).mul(2).log_softmax(-1)


def labels_of(alignment):
    """What an alignment writes: repetitions merged, blanks (0) dropped."""
    return tuple(label for label, _ in itertools.groupby(alignment) if label)


def enumerate_labels(log_probs):
    """Probability of every label sequence, by going through all alignments of (T, C)."""
    found = {}
    for alignment in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        chance = sum(log_probs[t, c] for t, c in enumerate(alignment)).exp().item()
        found[labels_of(alignment)] = found.get(labels_of(alignment), 0.0) + chance
    return found


def follow(scorer, labels):
    """State of a single hypothesis per clip after ``labels``."""
    state = scorer.start()
    for label in labels:
        column = torch.full((len(state.last), 1), label)
        state = scorer.advance(state, torch.zeros_like(column), column)
    return state


@pytest.mark.parametrize("labels", [(), (1,), (2, 2), (1, 3, 1), (3, 3, 3)])
def test_scores_equal_the_sum_over_all_alignments(labels):
    log_probs = random_log_probs(frames=6)
    lengths = torch.tensor([6, 4])
    scorer = CtcPrefixScorer(log_probs, lengths)
    prefixes, whole = scorer.scores(follow(scorer, labels))
    for clip, frames in enumerate(lengths.tolist()):
        chances = enumerate_labels(log_probs[clip, :frames])
        assert whole[clip, 0].exp().item() == pytest.approx(chances.get(labels, 0.0))
        for label in (1, 2, 3):
            begun = (*labels, label)
            expected = sum(p for found, p in chances.items() if found[: len(begun)] == begun)
            assert prefixes[clip, 0, label].exp().item() == pytest.approx(expected, abs=1e-12)


def test_the_whole_text_scores_as_torch_ctc_loss():
    log_probs = random_log_probs(clips=3, frames=40, columns=9)
    labels, lengths = [1, 1, 5, 3, 8, 8, 2], torch.tensor([40, 23, 11])
    scorer = CtcPrefixScorer(log_probs, lengths)
    _, whole = scorer.scores(follow(scorer, labels))
    loss = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.tensor([labels] * 3),
        lengths,
        torch.tensor([7] * 3),
        reduction="none",
    )
    torch.testing.assert_close(whole[:, 0], -loss)


def test_thirty_seconds_of_very_sure_frames_lose_no_precision():
    log_probs = (40 * random_log_probs(clips=1, frames=1500, columns=5)).log_softmax(-1)
    labels = [1, 2, 3, 4] * 10
    scorer = CtcPrefixScorer(log_probs, torch.tensor([1500]))
    _, whole = scorer.scores(follow(scorer, labels))
    target, frames, spoken = torch.tensor(labels), torch.tensor(1500), torch.tensor(len(labels))
    loss = torch.nn.functional.ctc_loss(log_probs[0], target, frames, spoken, reduction="sum")
    torch.testing.assert_close(whole[0, 0], -loss, rtol=1e-9, atol=0)


def test_more_labels_than_frames_cannot_be():
    scorer = CtcPrefixScorer(random_log_probs(clips=1, frames=3), torch.tensor([2]))
    prefixes, whole = scorer.scores(follow(scorer, [1, 2, 3]))
    assert whole.item() == float("-inf") and (prefixes == float("-inf")).all()


def test_hypotheses_branch_and_change_places():
    scorer = CtcPrefixScorer(random_log_probs(), torch.tensor([5, 4]))
    state = scorer.advance(
        scorer.start(), torch.zeros(2, 3, dtype=torch.long), torch.tensor([[1, 2, 3], [3, 2, 1]])
    )
    state = scorer.advance(state, torch.tensor([[2, 0], [1, 1]]), torch.tensor([[1, 1], [2, 3]]))
    _, whole = scorer.scores(state)
    for clip, place, labels in [(0, 0, (3, 1)), (0, 1, (1, 1)), (1, 0, (2, 2)), (1, 1, (2, 3))]:
        assert whole[clip, place] == scorer.scores(follow(scorer, labels))[1][clip, 0]
