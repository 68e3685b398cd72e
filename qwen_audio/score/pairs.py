"""F1 over pairs of a name and a value, as entities and slots are written."""

from collections import Counter

from qwen_audio.score.accuracy import plain
from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.task_fields import KINDS

Pair = tuple[str, str]


def pair_f1(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str) -> dict:
    """Micro F1: a pair is right if name and value are right; a pair written twice must be there twice.

    Protocols: ``strict`` is exact equality after strip(); ``lenient`` ignores case and punctuation of both.
    Of several references the one with the highest F1 counts. A malformed hypothesis is one wrong pair, so it
    is never better than ``none``.

    Returns:
        ``score`` (None where neither side has a pair), ``precision``, ``recall``, ``name_f1`` (values left
        out), ``exact`` (share of utterances with all pairs right), ``true_positives``, ``reference_count``,
        ``hypothesis_count``, ``malformed``, ``ci95``.

    Raises:
        ValueError: naming the utterance whose reference is malformed.
    """
    form = plain if protocol == "lenient" else str.strip
    wanted = {utt: [_counted(_reference(utt, text), form) for text in texts] for utt, texts in refs.items()}
    read = {utt: KINDS["pairs"].read(hyps[utt].strip()) for utt in refs}
    found, names = [], []
    for utt, options in wanted.items():
        hyp = Counter([None]) if read[utt] is None else _counted(read[utt], form)
        ref = max(options, key=lambda option: _f1(*_compare(option, hyp)) or 0.0)
        found.append(_compare(ref, hyp))
        names.append(_compare(_names(ref), _names(hyp)))
    right, reference, hypothesis = map(sum, zip(*found))
    return {
        "score": _f1(right, reference, hypothesis),
        "precision": right / hypothesis if hypothesis else None,
        "recall": right / reference if reference else None,
        "name_f1": _f1(*map(sum, zip(*names))),
        "exact": sum(tp == ref == hyp for tp, ref, hyp in found) / len(found),
        "true_positives": right,
        "reference_count": reference,
        "hypothesis_count": hypothesis,
        "malformed": sum(pairs is None for pairs in read.values()),
        "ci95": ci95(
            [2 * tp for tp, _, _ in found], [ref + hyp for _, ref, hyp in found], utterances(wanted)
        ),
    }


def _counted(pairs: list[list[str]], form) -> Counter:
    return Counter((form(name), form(value)) for name, value in pairs)


def _names(pairs: Counter) -> Counter:
    names = Counter()
    for pair, count in pairs.items():
        names[pair and pair[0]] += count
    return names


def _compare(ref: Counter, hyp: Counter) -> tuple[int, int, int]:
    return (ref & hyp).total(), ref.total(), hyp.total()


def _f1(right: int, reference: int, hypothesis: int) -> float | None:
    return 2 * right / (reference + hypothesis) if reference + hypothesis else None


def _reference(utt: str, text: str) -> list[list[str]]:
    pairs = KINDS["pairs"].read(text.strip())
    if pairs is None:
        raise ValueError(f"reference of {utt} is {text!r}; write {KINDS['pairs'].written}")
    return pairs
