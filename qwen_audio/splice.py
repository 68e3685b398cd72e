"""Splicing audio into text: each placeholder token gives way to the frames of its audio."""

import torch
from torch import Tensor


def splice(
    text: Tensor,
    text_lengths: Tensor,
    embeddings: Tensor,
    frames: Tensor,
    frame_lengths: Tensor,
    placeholder: int,
    longest: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Replace placeholders by audio frames, in reading order.

    Args:
        text: (B, L) token ids, each placeholder standing for one audio.
        text_lengths: (B,).
        embeddings: (B, L, E) embeddings of ``text``.
        frames: (A, T, E) audio embeddings, in the order of the placeholders.
        frame_lengths: (A,) frames of each.
        longest: positions L' of the result; by default the exact maximum, which reads it from the device.

    Returns:
        embeddings (B, L', E), zero past the end; lengths (B,); and the position (B, L) of every token
        (for a placeholder, that of its first frame).
    """
    batch, length = text.shape
    real = torch.arange(length, device=text.device) < text_lengths[:, None]
    audio = (text == placeholder) & real
    order = (audio.flatten().cumsum(0) - 1).view(batch, length).clamp(min=0)  # which audio a placeholder is
    or_none = torch.nn.functional.pad(frame_lengths, (0, 1))  # text alone has no audio to look up
    widths = torch.where(audio, or_none[order], real.long())
    ends = widths.cumsum(1)
    starts = ends - widths
    if longest is None:
        longest = int(ends[:, -1].max())
    # slot `longest` takes what has no place: padding tokens, placeholders, frames past a clip's end
    at = torch.where(real & ~audio, starts, longest)
    out = embeddings.new_zeros(batch, longest + 1, embeddings.shape[2])
    out = out.scatter(1, at[..., None].expand_as(embeddings), embeddings)
    clip_row = audio.flatten().long().argsort(descending=True, stable=True)[: len(frames)]
    row, first = clip_row // length, starts.flatten()[clip_row]
    step = torch.arange(frames.shape[1], device=text.device)
    to = torch.where(step < frame_lengths[:, None], first[:, None] + step, longest)
    out = out.index_put((row[:, None].expand_as(to), to), frames.to(out.dtype))
    return out[:, :longest], ends[:, -1], starts
