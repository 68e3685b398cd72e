"""What every adapter of the registry must keep, so a new one is tested by being registered."""

import pytest
import torch

from qwen_audio.registry import SLOTS, component_class

WIDTHS = {"identity": 8}  # the width it is given


@pytest.fixture(params=SLOTS["adapter"])
def adapter(request):
    torch.manual_seed(0)
    return component_class("adapter", request.param)(input_size=8, output_size=WIDTHS.get(request.param, 4))


def test_padding_never_reaches_a_valid_frame(adapter):
    lengths = torch.tensor([1, 4, 5, 8, 9, 13])
    clips = torch.randn(6, 13, 8)
    garbage = clips.clone()
    for row, n in zip(garbage, lengths):
        row[n:] = 1e4
    batched, out_lengths = adapter(garbage, lengths)
    for row, clip, n, m in zip(batched, clips, lengths, out_lengths):
        alone, alone_length = adapter(clip[None, :n], n[None])
        assert alone_length.item() == m
        torch.testing.assert_close(row[:m], alone[0, :m])


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7, 8, 9, 1499, 1500])
def test_num_frames_is_what_forward_gives(adapter, frames):
    out, lengths = adapter(torch.randn(1, frames, 8), torch.tensor([frames]))
    assert adapter.num_frames(frames) == lengths.item() == out.shape[1]
    assert out.shape[2] == adapter.output_size() in (4, 8)


def test_gradients_reach_the_input_and_every_parameter(adapter):
    clip = torch.randn(1, 8, 8, requires_grad=True)
    adapter(clip, torch.tensor([8]))[0].square().sum().backward()
    assert (clip.grad.abs().sum(2) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapter.parameters())
