import pytest
import torch

from qwen_audio.decoder.transformer import Transformer


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return Transformer(20, ["<|en|>", "<|zh|>"], hidden_size=16, layers=2, heads=2, ffn_size=32).eval()


def run(decoder, ids, mask=None):
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    hidden, _ = decoder(decoder.embed(ids), torch.ones_like(ids) if mask is None else mask, positions)
    return decoder.logits(hidden)


def test_base_and_new_tokens_share_one_trained_table(decoder):
    assert decoder.vocab_size == len(decoder.base_rows()) == 22 and decoder.new_rows is None
    assert torch.equal(decoder.embed(torch.tensor([21])), decoder.base_rows()[21:])
    assert run(decoder, torch.tensor([[1, 21]])).shape == (1, 2, 22)


def test_no_position_sees_a_later_one(decoder):
    ids = torch.tensor([[1, 2, 3, 4, 5]])
    changed = torch.tensor([[1, 2, 3, 9, 9]])
    torch.testing.assert_close(run(decoder, changed)[:, :3], run(decoder, ids)[:, :3])
    assert not torch.allclose(run(decoder, changed)[:, 3], run(decoder, ids)[:, 3])


def test_padding_changes_no_real_position(decoder):
    alone = run(decoder, torch.tensor([[1, 2, 3]]))
    padded = run(decoder, torch.tensor([[1, 2, 3, 9, 9]]), torch.tensor([[1, 1, 1, 0, 0]]))
    torch.testing.assert_close(padded[:, :3], alone)


def test_a_cache_gives_what_one_pass_gives(decoder):
    ids = torch.tensor([[1, 2, 3, 4]])
    one, cache = decoder(
        decoder.embed(ids[:, :3]), torch.ones(1, 3).long(), torch.arange(3)[None], use_cache=True
    )
    two, _ = decoder(
        decoder.embed(ids[:, 3:]), torch.ones(1, 4).long(), torch.tensor([[3]]), cache, use_cache=True
    )
    torch.testing.assert_close(
        decoder.logits(torch.cat([one, two], dim=1)), run(decoder, ids), atol=1e-5, rtol=0
    )


def test_it_learns_a_sequence_by_heart(decoder):
    ids = torch.tensor([[1, 7, 21, 3, 7, 20, 5]])
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(run(decoder, ids)[0, :-1], ids[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert run(decoder, ids)[0, :-1].argmax(-1).tolist() == ids[0, 1:].tolist()
