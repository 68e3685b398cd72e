"""Adapter: encoder frames as they are, for a decoder that was trained on them."""

from espnet2.asr.postencoder.abs_postencoder import AbsPostEncoder
from torch import Tensor


class Identity(AbsPostEncoder):
    """No change: Whisper's own decoder reads Whisper's encoder frames.

    Args:
        input_size: encoder width D.
        output_size: decoder embedding width E.

    Raises:
        ValueError: if the widths differ.
    """

    def __init__(self, input_size: int, output_size: int):
        super().__init__()
        if input_size != output_size:
            raise ValueError(
                f"adapter identity: the encoder is {input_size} wide, the decoder {output_size}; choose an adapter"
                " that projects, such as pool_linear, or encoder and decoder of one model"
            )
        self.width = output_size

    def output_size(self) -> int:
        return self.width

    def num_frames(self, frames: int) -> int:
        """Frames that the decoder gets of ``frames`` encoder frames."""
        return frames

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: input (B, T, D), input_lengths (B,) -> the same."""
        return input, input_lengths
