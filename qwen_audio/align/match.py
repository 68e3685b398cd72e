"""Words of a transcript, and the same words as an aligner wrote them."""

import unicodedata
from itertools import zip_longest

from qwen_audio.data.split import normalise_sentence
from qwen_audio.tags import UNSPACED
from qwen_audio.words import Word, split_words

SPOKEN = r"#%&*/@\§"  # punctuation to Unicode, but said when they stand alone


def join_marks(tokens: list[str]) -> list[str]:
    """Marks that stand alone and are not spoken join the token before or after: line ... -> line..."""
    joined: list[str] = []
    for token in tokens:
        if joined and (_silent(token) or _silent(joined[-1])):
            joined[-1] += token
        else:
            joined.append(token)
    return joined


def match_words(text: str, language: str, found: list[Word]) -> list[Word]:
    """The words of ``text`` as they are written there, with the times of the same words in ``found``.

    Words are the same if their letters and digits are, case aside. One of them may be several of ``found``;
    in languages written without blanks one of ``found`` may be several characters, which are one word then.

    Raises:
        ValueError: naming the first word that differs, or the sign of which it is not known how it is said.
    """
    tokens = join_marks(split_words(text, language))
    sign = next((token for token in tokens if not _letters(token)), None)
    if sign:
        raise ValueError(f"sign that may be spoken: {sign}")
    heard = [word for word in found if _letters(word[2])]
    _check_same(tokens, [word for _, _, word in heard])
    words, group, times, ahead, later = [], [], [], 0, iter(heard)
    for token in tokens:
        group.append(token)
        ahead -= len(_letters(token))
        while ahead < 0:
            times.append(next(later))
            ahead += len(_letters(times[-1][2]))
        if ahead == 0:
            if len(group) > 1 and language not in UNSPACED:
                raise ValueError(
                    f"words differ: {' '.join(group)} in the transcript, {times[-1][2]} in the file"
                )
            words.append((times[0][0], times[-1][1], "".join(group)))
            group, times = [], []
    return words


def _check_same(mine: list[str], theirs: list[str]) -> None:
    spelled = ([(letter, word) for word in words for letter in _letters(word)] for words in (mine, theirs))
    for (letter, word), (other, heard) in zip_longest(*spelled, fillvalue=("", "nothing")):
        if letter != other:
            raise ValueError(f"words differ: {word} in the transcript, {heard} in the file")


def _silent(token: str) -> bool:
    return all(unicodedata.category(mark)[0] == "P" and mark not in SPOKEN for mark in token)


def _letters(text: str) -> str:
    """Letters, digits and the marks on them, in lower case."""
    return "".join(normalise_sentence(text).split())
