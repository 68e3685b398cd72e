"""Which frames of a clip are silent."""

import torch
from torch import Tensor

from qwen_audio.audio import HOP

SILENT_DB = 35.0  # below the loud frames of the clip
LOUD = 0.95  # the share of frames that are no louder than "loud" ones


def silent_frames(clip: Tensor, hop: float) -> Tensor:
    """Frames whose level is 35 dB below the clip's 95th percentile; none in a recording with that much noise.

    A last frame that the clip does not fill has the level of what is there.

    Args:
        hop: samples from one frame to the next.

    Shapes: clip (N,) samples or (T, mels) log-mel features as Whisper scales them -> (ceil(N / hop),) bool.
    """
    if clip.dim() == 1:
        power = clip.double() ** 2
    else:
        power, hop = (10 ** (4 * clip.double() - 4)).sum(1), hop / HOP
    if not len(power):
        return torch.zeros(0, dtype=torch.bool)
    frame = (torch.arange(len(power), dtype=torch.float64, device=power.device) / hop).long()
    level = 10 * (frame.bincount(power) / frame.bincount() + 1e-12).log10()
    return level < level.quantile(LOUD) - SILENT_DB


def longest_run(flags: list[bool]) -> tuple[int, int]:
    """First place and place past the last of the longest run of True; (0, 0) if there is none."""
    best, begin = (0, 0), 0
    for place, flag in enumerate([*flags, False]):
        if not flag:
            best = max(best, (begin, place), key=lambda run: run[1] - run[0])
            begin = place + 1
    return best if best[1] > best[0] else (0, 0)
