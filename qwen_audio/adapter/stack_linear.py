"""Adapter: stack neighbouring encoder frames and map them to the decoder width by a two-layer MLP."""

import torch
from espnet2.asr.postencoder.abs_postencoder import AbsPostEncoder
from torch import Tensor


class StackLinear(AbsPostEncoder):
    """Concatenate ``stride`` frames, normalise, then Linear-GELU-Linear.

    Keeps within-window order, which averaging loses: the better choice at strides above 2.

    Args:
        input_size: encoder width D.
        output_size: decoder embedding width E.
        stride: frames stacked into one; 4 turns Whisper's 20 ms frames into 80 ms ones.
        hidden_size: width between the two linear layers; by default 2 E.

    Raises:
        ValueError: if ``stride`` is below 1.
    """

    def __init__(self, input_size: int, output_size: int, stride: int = 4, hidden_size: int | None = None):
        super().__init__()
        if stride < 1:
            raise ValueError(f"adapter_conf.stride is {stride}; 1 keeps every frame, 4 stacks four")
        hidden_size = hidden_size or 2 * output_size
        self.stride = stride
        self.norm = torch.nn.LayerNorm(stride * input_size)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(stride * input_size, hidden_size),
            torch.nn.GELU(),
            torch.nn.Linear(hidden_size, output_size),
        )

    def output_size(self) -> int:
        return self.mlp[-1].out_features

    def num_frames(self, frames: int) -> int:
        """Decoder positions of ``frames`` encoder frames."""
        return frames // self.stride

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: input (B, T, D), input_lengths (B,) -> (B, T // stride, E), (B,)."""
        batch, frames, width = input.shape
        whole = frames // self.stride
        stacked = input[:, : whole * self.stride].reshape(batch, whole, self.stride * width)
        return self.mlp(self.norm(stacked)), input_lengths // self.stride
