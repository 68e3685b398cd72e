"""Adapter: average neighbouring encoder frames, then project them to the decoder width."""

import torch
from espnet2.asr.postencoder.abs_postencoder import AbsPostEncoder
from torch import Tensor


class PoolLinear(AbsPostEncoder):
    """Pool, normalise, project: the adapter of Qwen-Audio (arXiv:2311.07919).

    Stride 2 turns Whisper's 20 ms frames into 40 ms ones: 30 s take 750 decoder positions.

    Args:
        input_size: encoder width D.
        output_size: decoder embedding width E.
        stride: frames averaged into one; 1 keeps the frame rate.

    Raises:
        ValueError: if ``stride`` is below 1.
    """

    def __init__(self, input_size: int, output_size: int, stride: int = 2):
        super().__init__()
        if stride < 1:
            raise ValueError(f"adapter_conf.stride is {stride}; 1 keeps every frame, 2 halves them")
        self.norm = torch.nn.LayerNorm(input_size)
        self.proj = torch.nn.Linear(input_size, output_size)
        self.stride = stride

    def output_size(self) -> int:
        return self.proj.out_features

    def num_frames(self, frames: int) -> int:
        """Decoder positions of ``frames`` encoder frames."""
        return frames // self.stride

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: input (B, T, D), input_lengths (B,) -> (B, T // stride, E), (B,)."""
        whole = input.shape[1] // self.stride
        pooled = input[:, : whole * self.stride].unflatten(1, (whole, self.stride)).mean(2)
        return self.proj(self.norm(pooled)), input_lengths // self.stride
