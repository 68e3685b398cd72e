import pytest
import torch

from qwen_audio.registry import component_class


def test_frames_pass_as_they_are():
    frames, lengths = torch.randn(2, 5, 8), torch.tensor([5, 3])
    out, out_lengths = component_class("adapter", "identity")(8, 8)(frames, lengths)
    assert torch.equal(out, frames) and torch.equal(out_lengths, lengths)


def test_other_widths_name_the_mend():
    with pytest.raises(ValueError, match="encoder is 8 wide, the decoder 4; choose an adapter that projects"):
        component_class("adapter", "identity")(8, 4)
