"""results.json, and RESULTS.md made from it alone: no number in it is written by hand."""

import json
import shutil
from pathlib import Path

from qwen_audio.score.bootstrap import RESAMPLES
from qwen_audio.score.word_times import EVEN, HEAD, table

_ORIGINS = {
    "constructed": "made by a rule from real recordings or mixed from them",
    "synthetic": "audio or label comes from a synthesiser",
}
_KEYS = ("task", "set", "lang", "model", "metric", "protocol")
_SCORES = (*_KEYS, "score", "95 %", "count", "baseline", "labels", "malformed", "looped", "missing")


def write_results(folder: Path, results: dict) -> None:
    """Write ``folder``/results.json and RESULTS.md.

    Args:
        results: ``rows`` (see score_group), ``command``, ``config_hash``, ``seconds``, ``runs`` (what each
            model is: any names and values), ``examples`` (model, task, set, utt, references, hypothesis),
            ``word_times`` (see score_word_times), ``not_decoded`` (model, task, set, lang, count),
            ``rejected`` and ``cut`` (see rejections and cuts), ``without_examples`` (task, title, datasets:
            public ones that have it), ``pictures`` (paths RUN/loss.png of loss curves, which are copied beside
            RESULTS.md), and ``dialogues`` and ``frame_cache`` (see score_chat_sets).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    order = ("task", "set", "lang", "metric", "protocol", "model")
    results["rows"].sort(key=lambda row: [row[key] for key in order])
    pictures = {f"loss_{path.parent.name}.png": path for path in map(Path, results.get("pictures", ()))}
    for name, path in pictures.items():
        shutil.copyfile(path, folder / name)
    results["pictures"] = list(pictures)
    text = json.dumps(results, ensure_ascii=False, indent=1)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(render(json.loads(text)), encoding="utf-8")


def render(results: dict) -> str:
    """RESULTS.md of the content of results.json."""
    sections = [
        _header(results),
        _scores(results),
        _word_times(results),
        _not_decoded(results),
        _rejected(results),
        _cut(results),
        _without_examples(results),
        _pictures(results),
        _frame_cache(results),
        _dialogues(results),
        _examples(results),
    ]
    return "\n".join(filter(None, sections))


def _header(results: dict) -> str:
    lines = [
        "# Results",
        "",
        f"Made by `{results['command']}`; the same numbers for programs: results.json.",
        "",
    ]
    if results.get("runs"):
        keys = list(dict.fromkeys(key for run in results["runs"] for key in run))
        lines += markdown_table([k.replace("_", " ") for k in keys], [[_value(k, run.get(k)) for k in keys]
                                                             for run in results["runs"]]) + [""]  # fmt: skip
    return "\n".join(lines)


def _scores(results: dict) -> str:
    rows = [
        [
            *(row[key] for key in _KEYS),
            shown_score(row, row["score"]) + matched_share(row),
            shown_interval(row),
            row["count"],
            f"{shown_score(row, row['baseline'])} {row['baseline_name']}",
            row["label_origin"],
            row["malformed"],
            "–" if row["looped"] is None else row["looped"],
            row["missing"],
        ]
        for row in results["rows"]
    ]
    lines = [
        "## Scores",
        "",
        "Rates are fractions of 1 (errors: lower is better), BLEU and CIDEr as their libraries print them, "
        "AAS in milliseconds over the matched share of the words.",
        "",
        f"- 95 %: interval of {RESAMPLES} bootstrap samples of the test utterances. It says nothing of other "
        "speakers or other training seeds, and is a point where all utterances are right.",
        "- baseline: what is reached without listening.",
        "- malformed: answers without the task's form; they count as wrong, but an error rate still reads "
        "their words.",
        "- looped: answers that ran into a repetition. missing: not decoded, counted as empty.",
        "",
        *markdown_table(_SCORES, rows),
        "",
    ]
    absent: dict[str, dict[str, None]] = {}
    for row in results["rows"]:
        if "absent" in row["parts"]:
            absent.setdefault(row["parts"]["absent"], {})[row["metric"]] = None
    lines += [
        line for why, names in absent.items() for line in (f"**Absent**: {', '.join(names)}: {why}.", "")
    ]
    for origin, meaning in _ORIGINS.items():
        where = sorted(
            {f"{r['task']} on {r['set']}" for r in results["rows"] if origin in r["label_origin"].split("+")}
        )
        if where:
            lines += [
                f"**Labels are {origin}** ({meaning}), not annotated by people: {', '.join(where)}.",
                "",
            ]
    return "\n".join(lines)


def _word_times(results: dict) -> str:
    if not results.get("word_times"):
        return ""
    lines = [
        "## Word times by head",
        "",
        "AAS of the words that match, in milliseconds; lower is better. Words are compared in lower case without "
        "marks. With silences: gaps between words count as words too, found or not. WER is of the words alone.",
        "",
        "- decoded: the words are the system's own. given: it was told the words and timed them; these rows are "
        "of the clips that all of them timed.",
        "- tokens, ctc, attention: heads of the model; the others are for comparison: a pretrained Whisper by its "
        f"own attention, an aligner. {EVEN}: the words at even distances, without listening.",
        "",
        *markdown_table(HEAD, table(results["word_times"])),
        "",
    ]
    return "\n".join(lines)


def _not_decoded(results: dict) -> str:
    gaps = results.get("not_decoded", ())
    lines = [f"- {g['model']}: {g['task']} {g['lang']} of {g['set']}, {g['count']} utterances" for g in gaps]
    return _listed("Not decoded, so without a score:", lines)


def _rejected(results: dict) -> str:
    return _listed(
        "Rejected before decoding, so not scored (`dump/raw/SET/rejected.tsv`):",
        _counted(results.get("rejected", ())),
    )


def _cut(results: dict) -> str:
    return _listed(
        "Decoded and scored by their first seconds (`dump/raw/SET/cut.tsv`):",
        _counted(results.get("cut", ())),
    )


def _counted(rows: list[dict]) -> list[str]:
    return [f"- {row['set']}: {row['count']} {row['what']}(s): {row['reason']}" for row in rows]


def _without_examples(results: dict) -> str:
    lacking = results.get("without_examples") or ()
    lines = [f"- {g['task']}, {g['title']}: {', '.join(g['datasets'])}" for g in lacking]
    return _listed("Tasks that no set here has examples of, and public datasets that have:", lines)


def _listed(heading: str, lines: list[str]) -> str:
    return "\n".join([heading, "", *lines, ""]) if lines else ""


def _pictures(results: dict) -> str:
    if not results.get("pictures"):
        return ""
    return "\n".join(["## Loss", "", *(f"![Loss by step]({path})" for path in results["pictures"]), ""])


def _frame_cache(results: dict) -> str:
    lines = [
        f"- {row['model']}: a step takes {row['cached_seconds']:.2f} s with the frozen encoder's frames from the cache,"
        f" {row['computed_seconds']:.2f} s where they are computed: {row['ratio']:.2f} times as fast ({row['device']},"
        f" mean of {row['steps']} steps each way, the same batches in turn, in one run; those from the cache without"
        f" SpecAugment). Filling it took {1000 * row['fill_seconds']:.0f} ms a recording: the whole training, whose"
        f" {row['whole']['steps']} steps hear {row['whole']['recordings']} recordings {row['whole']['heard']} times,"
        f" takes by that {row['whole']['ratio']:.2f} times as long without the cache."
        for row in results.get("frame_cache", ())
    ]
    return "\n".join(["## Fine-tuning with cached frames", "", *lines, ""]) if lines else ""


def _dialogues(results: dict) -> str:
    if not results.get("dialogues"):
        return ""
    lines = [
        "## Dialogues",
        "",
        "Over several recordings, as they came, at even distance in their order.",
        "",
    ]
    for row in results["dialogues"]:
        said = [f"{role}: {text}" for role, text in row["turns"]]
        said += [f"assistant, as it answered: {row['hyp']}", f"right would be: {row['wanted']}"]
        lines += [
            f"    {_one_line(text)}" for text in [f"{row['set']} {row['id']}, {row['model']}", *said]
        ] + [""]
    return "\n".join(lines)


def _examples(results: dict) -> str:
    lines = ["## Decoded examples", "", "As they came, at even distance in the order of the ids.", ""]
    title = None
    for row in results.get("examples", ()):
        if title != (row["task"], row["model"]):
            title = row["task"], row["model"]
            lines += [f"### {row['task']}, {row['model']}", ""]
        texts = [f"ref  {text}" for text in row["references"]] + [f"hyp  {row['hypothesis']}"]
        lines += [f"    {_one_line(text)}" for text in [f"{row['set']} {row['utt']}", *texts]] + [""]
    return "\n".join(lines) if title else ""


def markdown_table(head, rows: list[list]) -> list[str]:
    body = [
        "| " + " | ".join(_one_line(str(cell)).replace("|", "\\|") for cell in row) + " |" for row in rows
    ]
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *body]


def shown_score(row: dict, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if row["unit"] == "fraction" else f"{value:.2f}"


def shown_interval(row: dict) -> str:
    return "–" if row["ci95"] is None else " to ".join(shown_score(row, edge) for edge in row["ci95"])


def matched_share(row: dict) -> str:
    """A shift of word times is over the words that match; how many do stands beside it."""
    share = row["parts"].get("matched_share")
    return "" if share is None else f" ({share:.0%} matched)"


def _value(key: str, value) -> str:
    if value is None:
        return "–"
    if key.endswith("seconds") and isinstance(value, (int, float)):
        return f"{int(value) // 3600}:{int(value) % 3600 // 60:02}:{int(value) % 60:02}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")
