"""Accumulated average shift of word times (Qwen-Audio, arXiv:2311.07919, table 2), in milliseconds."""

from qwen_audio.score.bootstrap import ci95, utterances
from qwen_audio.words import SIL, Word, parse_words


def matches(ref: list[str], hyp: list[str]) -> tuple[list[tuple[int, int]], int]:
    """Pairs (i, j) of equal tokens on a unit-cost Levenshtein path, and the number of edits.

    Traced back from the end; of paths that cost the same the diagonal is taken, then the deletion.
    """
    cost = [list(range(len(hyp) + 1))]
    for i, token in enumerate(ref, 1):
        row, above = [i], cost[-1]
        for j, other in enumerate(hyp, 1):
            row.append(min(above[j - 1] + (token != other), above[j] + 1, row[-1] + 1))
        cost.append(row)
    i, j, pairs = len(ref), len(hyp), []
    while i and j:
        differ = ref[i - 1] != hyp[j - 1]
        if cost[i][j] == cost[i - 1][j - 1] + differ:
            i, j = i - 1, j - 1
            if not differ:
                pairs.append((i, j))
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1], cost[-1][-1]


def aas(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """1000 · Σ (|start shift| + |end shift|) / number of matched tokens, over all utterances together.

    Only equal tokens are compared, so a model that writes few of them right can still shift little: read
    ``matched_share`` and ``wer`` beside it. Protocols: ``sil`` counts silences as tokens, as the paper does;
    ``no_sil`` leaves them out on both sides. A malformed hypothesis has no token. Of several references the
    one with the fewest edits counts.

    Returns:
        ``score`` (ms; None where nothing matched); ``aas_ms``, ``aas_boundary_mean_ms`` (half of it) and
        ``matched`` tokens, all with silences; the same without them, each name ending in ``_no_sil``;
        ``matched_share`` (of the reference's tokens, under the protocol), ``wer`` (token error rate without
        silences, the tokens compared as written), ``malformed``, ``ci95``.

    Raises:
        ValueError: naming the utterance whose reference is malformed.
    """
    parsed = {utt: [_reference(utt, text) for text in texts] for utt, texts in refs.items()}
    written = {utt: parse_words(hyps[utt]) for utt in refs}
    answers = {utt: words or [] for utt, words in written.items()}
    full, bare = (
        _totals(parsed, answers),
        _totals(
            {utt: [_without_sil(words) for words in options] for utt, options in parsed.items()},
            {utt: _without_sil(words) for utt, words in answers.items()},
        ),
    )
    main = bare if protocol == "no_sil" else full
    tokens = sum(main["tokens"])
    return {
        "score": _ms(main),
        **_parts(full),
        **{f"{name}_no_sil": value for name, value in _parts(bare).items()},
        "matched_share": sum(main["matched"]) / tokens if tokens else None,
        "wer": sum(bare["edits"]) / sum(bare["tokens"]) if sum(bare["tokens"]) else None,
        "malformed": sum(words is None for words in written.values()),
        "ci95": ci95(main["shift"], main["matched"], utterances(refs), scale=1000),
    }


def _totals(refs: dict[str, list[list[Word]]], hyps: dict[str, list[Word]]) -> dict[str, list]:
    """Per utterance: sum of shifts in seconds, matched tokens, edits, reference tokens."""
    totals = {"shift": [], "matched": [], "edits": [], "tokens": []}
    for utt, options in refs.items():
        hyp = hyps[utt]
        tried = [(ref, *matches([w[2] for w in ref], [w[2] for w in hyp])) for ref in options]
        ref, pairs, edits = min(tried, key=lambda found: found[2])
        shift = sum(abs(ref[i][0] - hyp[j][0]) + abs(ref[i][1] - hyp[j][1]) for i, j in pairs)
        for key, value in zip(totals, (shift, len(pairs), edits, len(ref))):
            totals[key].append(value)
    return totals


def _parts(totals: dict[str, list]) -> dict:
    ms = _ms(totals)
    half = None if ms is None else ms / 2
    return {"aas_ms": ms, "aas_boundary_mean_ms": half, "matched": sum(totals["matched"])}


def _ms(totals: dict[str, list]) -> float | None:
    matched = sum(totals["matched"])
    return 1000 * sum(totals["shift"]) / matched if matched else None


def _without_sil(words: list[Word]) -> list[Word]:
    return [word for word in words if word[2] != SIL]


def _reference(utt: str, text: str) -> list[Word]:
    words = parse_words(text)
    if words is None:
        raise ValueError(f"reference of {utt} is {text!r}; write <|start|>word<|end|> with times in seconds")
    return words
