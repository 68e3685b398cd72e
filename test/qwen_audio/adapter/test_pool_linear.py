import pytest
import torch

from qwen_audio.adapter.pool_linear import PoolLinear
from qwen_audio.registry import check_options


def test_neighbouring_frames_are_averaged_normalised_and_projected():
    adapter = PoolLinear(2, 2, stride=2)
    adapter.proj.weight.data, adapter.proj.bias.data = torch.eye(2), torch.tensor([5.0, 0.0])
    clip = torch.tensor([[[1.0, 2.0], [5.0, 0.0], [9.0, 9.0]]])
    out, lengths = adapter(clip, torch.tensor([3]))
    # mean (3, 1): LayerNorm makes (1, -1) of it; the third frame has no partner
    torch.testing.assert_close(out, torch.tensor([[[6.0, -1.0]]]), atol=1e-4, rtol=0)
    assert lengths.tolist() == [1]


@pytest.mark.parametrize("stride", [0, -1])
def test_a_stride_below_one_is_refused_with_the_key(stride):
    with pytest.raises(ValueError, match=f"adapter_conf.stride is {stride}; 1 keeps every frame"):
        PoolLinear(8, 4, stride=stride)


def test_error_names_the_fix():
    with pytest.raises(ValueError, match="did you mean 'stride'"):
        check_options("adapter", "pool_linear", {"strid": 2}, {"input_size", "output_size"})
