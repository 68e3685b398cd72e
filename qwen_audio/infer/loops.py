"""Loops in generated text: the same few tokens over and over."""

import torch
from torch import Tensor

LONGEST = 8  # tokens of the n-gram that repeats
REPEATS, STRETCH = 4, 12  # it must stand this often in a row, and fill this many tokens


def looping(tokens: Tensor) -> Tensor:
    """Whether a text ends in a loop: an n-gram of 1 to 8 tokens, 4 times in a row, over at least 12 tokens.

    Shapes: tokens (..., L) -> (...) bool.
    """
    found = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
    for size in range(1, LONGEST + 1):
        span = max(REPEATS, -(-STRETCH // size)) * size
        if span <= tokens.shape[-1]:
            tail = tokens[..., -span:]
            found |= (tail[..., size:] == tail[..., :-size]).all(-1)
    return found


def first_round(tokens: list[int]) -> int:
    """Where to cut a text that ends in a loop: the tokens up to the end of the n-gram's first occurrence."""
    for size in range(1, LONGEST + 1):
        start = len(tokens) - size
        while start > 0 and tokens[start - 1] == tokens[start - 1 + size]:
            start -= 1
        repeated = len(tokens) - start
        if repeated >= max(REPEATS * size, STRETCH):
            return start + size
    return len(tokens)


def settled(tokens: list[int]) -> int:
    """How many of a growing text's tokens ``first_round`` will leave, whatever comes: those not yet a repetition."""
    sure = len(tokens)
    for size in range(1, min(LONGEST, len(tokens)) + 1):
        start = len(tokens) - size
        while start > 0 and tokens[start - 1] == tokens[start - 1 + size]:
            start -= 1
        sure = min(sure, start + size)
    return sure
