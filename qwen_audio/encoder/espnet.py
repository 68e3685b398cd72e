"""Encoders: ESPnet's Conformer and E-Branchformer, for training from scratch on log-mel features.

Their convolutions look past a clip's end into padding. In evaluation, and where the encoder is
frozen, each clip is therefore encoded by itself, so that a result never depends on what it is batched with.
"""

import torch
from espnet2.asr.encoder.conformer_encoder import ConformerEncoder
from espnet2.asr.encoder.e_branchformer_encoder import EBranchformerEncoder
from espnet2.legacy.nets.pytorch_backend.transformer.subsampling import Conv2dSubsampling
from torch import Tensor

SHORTEST = 7  # feature frames


class _OneByOne:
    """Mixed into an ESPnet encoder: known lengths, and clip by clip in evaluation."""

    def num_frames(self, frames: int) -> int:
        """Encoder frames of ``frames`` feature frames (two stride-2 convolutions of kernel 3).

        Raises:
            ValueError: if ``input_layer`` is another one.
        """
        if type(self.embed) is not Conv2dSubsampling:
            raise ValueError("encoder_conf.input_layer must stay conv2d, whose lengths are known here")
        return ((frames - 1) // 2 - 1) // 2

    def forward(self, xs_pad: Tensor, ilens: Tensor, prev_states=None) -> tuple[Tensor, Tensor, None]:
        """Shapes: xs_pad (B, T, mels), ilens (B,) -> (B, T', D), (B,), None; about 40 ms a frame.

        Raises:
            ValueError: if a clip is too short for the encoder's convolutions (7 frames, 70 ms).
        """
        shortest = int(ilens.min())
        if shortest < SHORTEST:
            raise ValueError(
                f"a clip has {shortest} feature frames; this encoder needs {SHORTEST} (70 ms) at least"
            )
        if self.training:
            return super().forward(xs_pad, ilens, prev_states)
        alone = [super(_OneByOne, self).forward(x[None, :n], n[None])[:2] for x, n in zip(xs_pad, ilens)]
        lengths = torch.cat([n for _, n in alone])
        return torch.nn.utils.rnn.pad_sequence([x[0] for x, _ in alone], batch_first=True), lengths, None


class Conformer(_OneByOne, ConformerEncoder):
    """espnet2's ConformerEncoder; its options are ``encoder_conf`` (input_layer stays conv2d)."""


class EBranchformer(_OneByOne, EBranchformerEncoder):
    """espnet2's EBranchformerEncoder; its options are ``encoder_conf`` (input_layer stays conv2d)."""
