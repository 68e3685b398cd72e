"""Which frames of a clip are silent, and where among them is a pause."""

import itertools

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


def find_pause(silent: list[bool], long: float) -> tuple[int, int]:
    """First frame and frame past the last of the pause among some frames; (0, 0) if none is silent.

    A pause reaches from the first to the last of its long silences: a click or a breath may lie between. A shorter
    silence may be the closure of a stop within a word, so of those alone the longest is the pause.

    Args:
        silent: of every frame.
        long: frames.
    """
    runs, at = [], 0
    for flag, group in itertools.groupby(silent):
        begin, at = at, at + len(list(group))
        if flag:
            runs.append((begin, at))
    pauses = [run for run in runs if run[1] - run[0] >= long]
    pauses = pauses or [max(runs, key=lambda run: run[1] - run[0], default=(0, 0))]
    return pauses[0][0], pauses[-1][1]
