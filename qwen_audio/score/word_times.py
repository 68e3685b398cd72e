"""Scores of word times by head and by reference system, on the same clips (`qwen-audio time_words` writes them)."""

import re
from pathlib import Path

from qwen_audio.data.json_rows import read_rows
from qwen_audio.data.prepared import PreparedSet
from qwen_audio.score.baseline import even_spacing
from qwen_audio.score.registry import compute, name_some
from qwen_audio.task_spec import WORDS, load_tasks
from qwen_audio.words import SIL, Word, parse_words

DECODED, GIVEN = "decoded", "given"
EVEN = "even_spacing"
PAUSE = 0.05  # seconds: a gap between words from there on is a silence
_MARKS = re.compile(r"^[\W_]+|[\W_]+$")
HEAD = (
    "set",
    "lang",
    "words",
    "head",
    "AAS ms",
    "95 %",
    "with silences",
    "matched",
    "matched with",
    "WER",
    "clips",
)

Answers = dict[str, str]  # utterance -> words with times, as the task writes them


def score_word_times(decoded: Path, dump: Path, where: dict) -> list[dict]:
    """Rows of results.json's ``word_times`` for one set: AAS with and without silences, by head.

    Words are compared in lower case and without the marks around them: it is the times that are judged. What
    has a time in both is its word; a gap of PAUSE seconds or more counts as a silence. Heads that were given
    the reference's words are compared on the clips that all of them timed, beside even spacing of the words.
    Clips with references of marks alone are left out and counted in ``empty_references`` of a row's parts; a
    head that timed no other clip has no row.

    Args:
        decoded: EXP/decode/SET with heads/NAME/hyp.jsonl.
        where: ``{"model", "stage", "set"}``, copied into each row.

    Raises:
        ValueError: a clip with times that the prepared set has no reference for.
    """
    tasks = {name for name, spec in load_tasks().items() if spec.target == WORDS}
    prepared = PreparedSet(dump)
    seconds = prepared.seconds
    references: dict[str, list[dict]] = {}
    for row in prepared.rows(tasks):
        references.setdefault(row["text_lang"], []).append(row)
    answers = _read(decoded, tasks)
    found = []
    for lang, rows in sorted(references.items()):
        refs: dict[str, list[str]] = {}
        for row in rows:
            refs.setdefault(row["utt"], []).append(_written(map(tuple, row["words"]), seconds[row["utt"]]))
        about = where | {"lang": lang, "label_origin": "+".join(sorted({_origin(row) for row in rows}))}
        made_by = {row.get("aligner") for row in rows}  # its own times are no test of it
        for text in (DECODED, GIVEN):
            heads = {
                head: hyps
                for (head, kind, language), hyps in answers.items()
                if (kind, language) == (text, lang) and head not in made_by
            }
            for head, hyps in heads.items():
                if strange := [utt for utt in hyps if utt not in refs]:
                    raise ValueError(
                        f"{decoded / 'heads' / head / 'hyp.jsonl'}: {name_some(strange)} without word times in"
                        f" {dump / 'examples.jsonl'}: they are of other data; run `qwen-audio time_words` again,"
                        f" or remove {decoded / 'heads'}"
                    )
            if text == GIVEN and heads:
                heads = _on_the_same(heads | {EVEN: _evenly(rows, seconds)})
            for head, hyps in heads.items():
                found += _score(about | {"head": head, "text": text}, refs, hyps, seconds, lang)
    return found


def table(rows: list[dict]) -> list[list]:
    """The rows under HEAD, those of a set and text together, the nearest times first."""
    pairs: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        key = (row["set"], row["lang"], row["text"], row["model"], row["head"])
        pairs.setdefault(key, {})[row["protocol"]] = row
    several = len({row["model"] for row in rows}) > 1
    lines = []
    for (set_, lang, text, model, head), pair in pairs.items():
        bare, full = pair["no_sil"], pair["sil"]
        interval = "–" if bare["ci95"] is None else " to ".join(map(_ms, bare["ci95"]))
        shares = (f"{row['parts']['matched_share']:.0%}" for row in (bare, full))
        name = f"{head} ({model})" if several else head
        score, wer = bare["score"], f"{bare['parts']['wer']:.1%}"
        cells = [
            set_,
            lang,
            text,
            name,
            _ms(score),
            interval,
            _ms(full["score"]),
            *shares,
            wer,
            bare["count"],
        ]
        lines.append(((set_, lang, text, score is None, score or 0.0), cells))
    return [cells for _, cells in sorted(lines, key=lambda line: line[0])]


def _read(decoded: Path, tasks: set[str]) -> dict[tuple[str, str, str], Answers]:
    """(head, decoded or given, language) -> its answers."""
    answers: dict[tuple[str, str, str], Answers] = {}
    for path in sorted(decoded.glob("heads/*/hyp.jsonl")):
        for row in read_rows(path, ("utt", "task", "hyp", "text")):
            if row["task"] in tasks:
                key = path.parent.name, row["text"], row["text_lang"]
                answers.setdefault(key, {})[row["utt"]] = row["hyp"]
    return answers


def _on_the_same(heads: dict[str, Answers]) -> dict[str, Answers]:
    common = set.intersection(*(set(hyps) for hyps in heads.values()))
    return {head: {utt: hyps[utt] for utt in hyps if utt in common} for head, hyps in heads.items() if common}


def _evenly(rows: list[dict], seconds: dict[str, float]) -> Answers:
    # even_spacing parts a text at blanks; the words of a language without them are parted here
    texts = {row["utt"]: " ".join(word for _, _, word in row["words"]) for row in rows}
    return {utt: even_spacing(text, seconds[utt]) for utt, text in texts.items()}


def _score(about: dict, refs: dict, hyps: Answers, seconds: dict[str, float], lang: str) -> list[dict]:
    asked = {utt: texts for utt in hyps if (texts := [*filter(None, refs[utt])])}
    if not asked:
        return []
    written = {utt: _written(parse_words(hyps[utt]) or [], seconds[utt]) for utt in asked}
    empty = {"empty_references": len(hyps) - len(asked)}
    rows = []
    for protocol in ("no_sil", "sil"):
        found = compute("aas", asked, written, protocol, lang)
        own = {key: found.pop(key) for key in ("metric", "protocol", "score", "count", "ci95")}
        rows.append(about | {"task": "srwt"} | own | {"unit": "ms", "parts": found | empty})
    return rows


def _written(words, seconds: float) -> str:
    """Words as they are compared, with the silences between, before and behind them."""
    bare = [(start, end, _MARKS.sub("", word).lower()) for start, end, word in words]
    timed: list[Word] = []
    now = 0.0
    for start, end, word in [w for w in bare if w[2]]:
        if start - now >= PAUSE - 1e-6:
            timed.append((now, start, SIL))
        timed.append((start, end, word))
        now = max(now, end)
    if timed and seconds - now >= PAUSE - 1e-6:
        timed.append((now, seconds, SIL))
    return "".join(f"<|{start:.3f}|>{word}<|{end:.3f}|>" for start, end, word in timed)


def _origin(row: dict) -> str:
    return row.get("label_origin", "real")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
