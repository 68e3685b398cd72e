"""Accuracy of multiple choice: the letter of an option, its text, or both."""

import re

from qwen_audio.score.accuracy import plain
from qwen_audio.score.bootstrap import ci95, utterances

_OPTION = re.compile(r"\(([A-Za-z])\)\s*(.*)|([A-Za-z])(?:[.:)]\s*(.*)|$)", re.DOTALL)


def choice(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of questions whose option is right, as a fraction.

    Reference and hypothesis are ``B``, ``(b)``, ``B. a dog`` or ``a dog``. Where both have a letter the
    letters decide, else the texts without case and punctuation. ``A dog`` has no letter: A is an article.

    Returns:
        ``score``, ``count``, ``malformed`` (nothing written, or neither letter nor the right text where the
        reference has a letter), ``ci95``.
    """
    right, malformed = [], 0
    for utt, texts in refs.items():
        answer, wanted = read_option(hyps[utt]), [read_option(text) for text in texts]
        right.append(any(_same(answer, option) for option in wanted))
        readable = answer[0] or right[-1] or answer[1] and not any(letter for letter, _ in wanted)
        malformed += not readable
    score = sum(right) / len(right)
    return {"score": score, "malformed": malformed, "ci95": ci95(right, [1] * len(right), utterances(refs))}


def read_option(text: str) -> tuple[str, str]:
    """``(b) A dog!`` -> ``("B", "a dog")``; the letter or the text may be empty."""
    match = _OPTION.fullmatch(text.strip())
    if not match:
        return "", plain(text)
    letter, rest = match.group(1) or match.group(3), match.group(2) or match.group(4) or ""
    return letter.upper(), plain(rest)


def _same(answer: tuple[str, str], option: tuple[str, str]) -> bool:
    if answer[0] and option[0]:
        return answer[0] == option[0]
    return bool(answer[1]) and answer[1] == option[1]
