import torch
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.splice import splice

AUDIO = 9  # the placeholder


def slow_splice(text, text_lengths, embeddings, frames, frame_lengths):
    """The same by lists, row by row: (rows of embeddings, positions of the real tokens)."""
    rows, starts, clip = [], [], 0
    for ids, length, vectors in zip(text.tolist(), text_lengths.tolist(), embeddings):
        row, at = [], []
        for id, vector in zip(ids[:length], vectors):
            at.append(len(row))
            if id == AUDIO:
                row += list(frames[clip, : frame_lengths[clip]])
                clip += 1
            else:
                row.append(vector)
        rows.append(row)
        starts.append(at)
    return rows, starts


def one(*values):
    """Embeddings of width 1, (len(values), 1)."""
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_frames_take_the_placeholders_place():
    """Two rows: [1 A 2] with an audio of 3 frames, [A 3 pad] with one of 1 frame."""
    text = torch.tensor([[1, AUDIO, 2], [AUDIO, 3, 0]])
    embeddings = torch.stack([one(10, -1, 20), one(-1, 30, -1)])
    frames = torch.stack([one(0.1, 0.2, 0.3), one(0.4, 77, 77)])
    out, lengths, starts = splice(text, torch.tensor([3, 2]), embeddings, frames, torch.tensor([3, 1]), AUDIO)
    torch.testing.assert_close(out, torch.stack([one(10, 0.1, 0.2, 0.3, 20), one(0.4, 30, 0, 0, 0)]))
    assert lengths.tolist() == [5, 2]
    assert starts[0].tolist() == [0, 1, 4] and starts[1, :2].tolist() == [0, 1]


def test_several_audios_of_a_row_come_in_reading_order():
    text = torch.tensor([[AUDIO, 1, AUDIO, AUDIO], [2, AUDIO, 0, 0]])
    embeddings = torch.stack([one(-1, 10, -1, -1), one(20, -1, -1, -1)])
    frames = torch.stack([one(1, 2), one(3, 77), one(4, 5), one(6, 7)])
    out, lengths, starts = splice(
        text, torch.tensor([4, 2]), embeddings, frames, torch.tensor([2, 1, 2, 2]), AUDIO
    )
    torch.testing.assert_close(out, torch.stack([one(1, 2, 10, 3, 4, 5), one(20, 6, 7, 0, 0, 0)]))
    assert lengths.tolist() == [6, 3] and starts[0].tolist() == [0, 2, 3, 4]


def test_a_placeholder_in_the_padding_is_none():
    """Padding may be any token; past a row's length nothing counts."""
    text = torch.tensor([[1, AUDIO], [AUDIO, 1]])
    embeddings = torch.stack([one(10, 20), one(30, 40)])
    out, lengths, _ = splice(text, torch.tensor([1, 2]), embeddings, one(0.5)[None], torch.tensor([1]), AUDIO)
    torch.testing.assert_close(out, torch.stack([one(10, 0), one(0.5, 40)]))
    assert lengths.tolist() == [1, 2]


def test_an_audio_without_frames_vanishes():
    text, embeddings = torch.tensor([[1, AUDIO, 2]]), one(10, 20, 30)[None]
    out, lengths, starts = splice(
        text, torch.tensor([3]), embeddings, torch.zeros(1, 0, 1), torch.tensor([0]), AUDIO
    )
    torch.testing.assert_close(out, one(10, 30)[None])
    assert starts.tolist() == [[0, 1, 1]] and lengths.tolist() == [2]


def test_text_without_audio_stays_as_it_is():
    text, embeddings = torch.tensor([[1, 2], [3, 0]]), torch.stack([one(10, 20), one(30, 0)])
    none = torch.zeros(0, 0, 1), torch.zeros(0, dtype=torch.long)
    out, lengths, _ = splice(text, torch.tensor([2, 1]), embeddings, *none, AUDIO)
    torch.testing.assert_close(out, embeddings)
    assert lengths.tolist() == [2, 1]


def test_a_given_length_only_adds_zeros():
    text, embeddings, frames = torch.tensor([[1, AUDIO]]), one(10, 20)[None], one(1, 2)[None]
    out, lengths, _ = splice(text, torch.tensor([2]), embeddings, frames, torch.tensor([2]), AUDIO, longest=5)
    torch.testing.assert_close(out, one(10, 1, 2, 0, 0)[None])
    assert lengths.tolist() == [3]


def test_gradients_reach_what_is_spliced_in_and_nothing_else():
    text = torch.tensor([[1, AUDIO, 2], [AUDIO, 3, 0]])
    embeddings = torch.randn(2, 3, 2, requires_grad=True)
    frames = torch.randn(2, 3, 2, requires_grad=True)
    out, _, _ = splice(text, torch.tensor([3, 2]), embeddings, frames, torch.tensor([3, 1]), AUDIO)
    out.sum().backward()
    assert embeddings.grad[..., 0].tolist() == [[1, 0, 1], [0, 1, 0]]
    assert frames.grad[..., 0].tolist() == [[1, 1, 1], [1, 0, 0]]


@st.composite
def batches(draw):
    text = draw(
        st.lists(
            st.lists(st.sampled_from([1, 2, 3, AUDIO, AUDIO]), min_size=1, max_size=6), min_size=1, max_size=4
        )
    )
    widths = [draw(st.integers(0, 4)) for row in text for id in row if id == AUDIO]
    return text, widths, draw(st.integers(0, 2**16))


@given(batches())
def test_equals_a_slow_splice_by_lists(batch):
    rows, widths, seed = batch
    generator = torch.Generator().manual_seed(seed)
    text_lengths = torch.tensor([len(row) for row in rows])
    text = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    embeddings = torch.randn(*text.shape, 3, generator=generator)
    frame_lengths = torch.tensor(widths, dtype=torch.long)
    frames = torch.randn(len(widths), max(widths, default=0), 3, generator=generator)
    out, lengths, starts = splice(text, text_lengths, embeddings, frames, frame_lengths, AUDIO)
    slow_rows, slow_starts = slow_splice(text, text_lengths, embeddings, frames, frame_lengths)
    assert lengths.tolist() == [len(row) for row in slow_rows] and out.shape[1] == max(lengths)
    for row, at, slow_row, slow_at in zip(out, starts.tolist(), slow_rows, slow_starts):
        assert at[: len(slow_at)] == slow_at
        assert torch.equal(row[: len(slow_row)], torch.stack(slow_row) if slow_row else row[:0])
        assert (row[len(slow_row) :] == 0).all()
