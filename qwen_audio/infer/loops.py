"""Loops in generated text: the same few tokens over and over."""

import torch
from torch import Tensor

LONGEST = 40  # tokens of the n-gram that repeats; a phrase in a script of which a letter is a token or two
REPEATS, STRETCH = 4, 12  # it must stand this often in a row, and fill this many tokens
UNCOUNTED = -1  # a token that does not count to the stretch, as a time before or after a word


def looping(tokens: Tensor) -> Tensor:
    """Whether a text ends in a loop: an n-gram of 1 to 40 tokens, 4 times in a row, over at least 12 that count.

    Shapes: tokens (..., L), as a grammar's ``alias`` has them -> (...) bool.
    """
    tail = tokens[..., -REPEATS * LONGEST :]
    length = tail.shape[-1]
    if length < STRETCH:
        return torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
    sizes = torch.arange(1, min(LONGEST, length // REPEATS) + 1, device=tokens.device)[:, None]
    counted = (tail != UNCOUNTED).flip(-1).cumsum(-1)[..., sizes - 1].clamp(min=1)  # (..., sizes, 1)
    span = ((STRETCH + counted - 1) // counted).clamp(min=REPEATS) * sizes
    place = torch.arange(length, device=tokens.device)
    same = tail[..., (place - sizes).clamp(min=0)] == tail[..., None, :]  # (..., sizes, L)
    repeats = (same | (place < length - span + sizes)).all(-1)
    return (repeats & (span <= length)[..., 0]).any(-1)


def first_round(tokens: list[int]) -> int:
    """Where to cut a text that ends in a loop: the tokens up to the end of the n-gram's first occurrence."""
    for size in range(1, LONGEST + 1):
        start = len(tokens) - size
        while start > 0 and tokens[start - 1] == tokens[start - 1 + size]:
            start -= 1
        repeated = len(tokens) - start
        counted = max(1, sum(token != UNCOUNTED for token in tokens[-size:]))
        if repeated >= max(REPEATS, -(-STRETCH // counted)) * size:
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
