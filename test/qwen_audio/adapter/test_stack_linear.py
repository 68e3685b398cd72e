import pytest
import torch

from qwen_audio.adapter.stack_linear import StackLinear


def test_neighbouring_frames_are_put_side_by_side_in_order():
    adapter = StackLinear(2, 3, stride=2, hidden_size=4)
    adapter.norm = adapter.mlp = torch.nn.Identity()
    clip = torch.arange(10.0).view(1, 5, 2)
    out, lengths = adapter(clip, torch.tensor([5]))
    assert out.tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7]]] and lengths.tolist() == [2]


def test_the_order_of_frames_within_a_stack_matters():
    adapter, clip = StackLinear(2, 3, stride=2), torch.randn(1, 2, 2)
    swapped = adapter(clip.flip(1), torch.tensor([2]))[0]
    assert not torch.allclose(adapter(clip, torch.tensor([2]))[0], swapped)


def test_the_hidden_width_is_twice_the_output_by_default():
    assert (
        StackLinear(2, 3).mlp[0].out_features == 6
        and StackLinear(2, 3, hidden_size=5).mlp[0].out_features == 5
    )


def test_a_stride_below_one_is_refused_with_the_key():
    with pytest.raises(ValueError, match="adapter_conf.stride is 0; 1 keeps every frame, 4 stacks four"):
        StackLinear(8, 4, stride=0)
