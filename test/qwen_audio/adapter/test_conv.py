import pytest
import torch

from qwen_audio.adapter.conv import Conv


def test_each_layer_halves_the_frame_rate_rounding_up():
    assert [Conv(4, 4, layers=n).num_frames(100) for n in (1, 2, 3)] == [50, 25, 13]


def test_a_layer_sees_the_frame_before_and_after():
    """With a kernel of ones on one channel, frame 1 of the output sums frames 1 to 3 of the input."""
    adapter = Conv(1, 1, layers=1)
    adapter.convs[0].weight.data.fill_(1.0)
    adapter.convs[0].bias.data.fill_(0.0)
    adapter.norm = adapter.proj = torch.nn.Identity()
    out, _ = adapter(torch.tensor([[[1.0], [10.0], [100.0], [1000.0]]]), torch.tensor([4]))
    torch.testing.assert_close(out.flatten(), torch.tensor([11.0, 1110.0]))  # GELU leaves these as they are


def test_no_layer_is_refused_with_the_key():
    with pytest.raises(
        ValueError, match="adapter_conf.layers is 0; each layer halves the frame rate, write 1 or more"
    ):
        Conv(8, 4, layers=0)
