"""Accuracy of a written label."""

import re

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.tags import UNSPACED

YES_NO = ("yes", "no")


def accuracy(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of labels that are right, as a fraction.

    Of several references of a request each counts by itself, as in the released ClothoAQA list, which has
    a line for each annotator's answer.

    Protocols: ``strict`` is exact equality after strip(), as in the released scripts; ``lenient`` ignores
    case and punctuation and finds the label in a sentence, where no other label of the set may stand;
    ``binary`` is strict over the references that are yes or no (ClothoAQA).

    Returns:
        ``score`` under the protocol, ``strict`` and ``lenient`` both, ``count`` of requests, ``references``,
        ``empty`` answers, ``ci95``.
    """
    if protocol == "binary":
        refs = {
            utt: [text for text in texts if text.strip().lower() in YES_NO] for utt, texts in refs.items()
        }
        refs = {utt: texts for utt, texts in refs.items() if texts}
    strict = [sum(hyps[utt].strip() == text.strip() for text in texts) for utt, texts in refs.items()]
    find = _label_finder({text for texts in refs.values() for text in texts}, lang)
    lenient = [sum(find(hyps[utt]) == {plain(text)} for text in texts) for utt, texts in refs.items()]
    counts = [len(texts) for texts in refs.values()]
    right = lenient if protocol == "lenient" else strict
    return {
        "score": _share(right, counts),
        "strict": _share(strict, counts),
        "lenient": _share(lenient, counts),
        "count": len(right),
        "references": sum(counts),
        "empty": sum(not hyps[utt].strip() for utt in refs),
        "ci95": ci95(right, counts, utterances(refs)),
    }


def plain(text: str) -> str:
    """Without case and punctuation, white space collapsed."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", text.casefold()).split())


def _label_finder(labels: set[str], lang: str):
    """A function text -> labels in it as whole words; of nested ones ("bass guitar") the longest.

    Where ``lang`` is written without spaces, only numbers and Latin words are seen to be whole.
    """
    known = sorted(filter(None, map(plain, labels)), key=lambda label: (-len(label), label))
    if not known:
        return lambda text: set()
    letter = "[0-9a-z]" if lang in UNSPACED else r"\w"
    pattern = re.compile(rf"(?<!{letter})(?:{'|'.join(map(re.escape, known))})(?!{letter})")
    return lambda text: set(pattern.findall(plain(text)))


def _share(right: list[int], counts: list[int]) -> float | None:
    return sum(right) / sum(counts) if counts else None
