"""Which frames of a clip are silent."""

import torch
from torch import Tensor

SILENT_DB = 35.0  # below the loud frames of the clip
LOUD = 0.95  # the share of frames that are no louder than "loud" ones


def silent_frames(clip: Tensor, frames: int) -> Tensor:
    """Frames whose level is 35 dB below the clip's 95th percentile; none in a recording with that much noise.

    Shapes: clip (N,) samples or (T, mels) log-mel features as Whisper scales them -> (frames,) bool.
    """
    if clip.dim() == 1:
        power = clip.double() ** 2
    else:
        power = (10 ** (4 * clip.double() - 4)).sum(1)
    width = -(-len(power) // max(frames, 1))
    power = torch.nn.functional.pad(power, (0, width * frames - len(power))).view(frames, width).mean(1)
    level = 10 * (power + 1e-12).log10()
    return level < level.quantile(LOUD) - SILENT_DB if frames else level.bool()


def longest_run(flags: list[bool]) -> tuple[int, int]:
    """First place and place past the last of the longest run of True; (0, 0) if there is none."""
    best, begin = (0, 0), 0
    for place, flag in enumerate([*flags, False]):
        if not flag:
            best = max(best, (begin, place), key=lambda run: run[1] - run[0])
            begin = place + 1
    return best if best[1] > best[0] else (0, 0)
