"""Score the decoded sets of a recipe with the metrics that each task's file names."""

import math
from collections.abc import Sequence
from pathlib import Path

from qwen_audio.data.prepared import PreparedSet, at_even_distance
from qwen_audio.registry import nearest
from qwen_audio.score.baseline import baseline_hypotheses, baseline_name, needs_seconds
from qwen_audio.score.eer import DIFFERENT, SAME
from qwen_audio.score.join import Group, read_groups
from qwen_audio.score.registry import Absent, absent, compute, metric_name, metric_of
from qwen_audio.score.rejected import cuts, rejections
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.score.word_times import score_word_times
from qwen_audio.task_spec import load_tasks

SHOWN = 5  # examples of a task and model in RESULTS.md
_STAGES = ("pretrain", "sft")  # exp/STAGE_TAG


def score_decoded(
    decoded: list[tuple[Path, Path]],
    labels: TrainLabels,
    results: Path,
    whisper: list[str] = (),
    batch_size: int = 8,
    num_threads: int = 1,
    device: str = "cpu",
    missing: str = "error",
    asked: Sequence[str] = (),
) -> dict:
    """Score every decoded set, and beside it the clips of its asr examples as Whisper writes them.

    Args:
        decoded: (EXP/decode/SET with hyp.jsonl, the prepared set it was decoded from).
        labels: of the training sets; baselines take them.
        results: what Whisper writes is kept in its folder ``whisper/``.
        whisper, batch_size, num_threads, device: see decode_with_whisper.
        missing: ``error`` or ``empty``, see read_groups.
        asked: tasks of which it is to be said if no decoded set has examples.

    Returns:
        ``rows``, ``word_times``, ``examples``, ``not_decoded``, ``rejected``, ``cut``, ``without_examples`` and
        ``pictures`` of results.json.

    Raises:
        ValueError: an unknown task asked for.
    """
    tasks = load_tasks()
    for name in asked:
        if name not in tasks:
            raise ValueError(f"--tasks {name}{nearest(name, tasks)}")
    found = {"rows": [], "word_times": [], "examples": [], "not_decoded": [], "pictures": []}
    shown: dict[tuple, list] = {}
    present: set[str] = set()
    for folder, dump in decoded:
        where = run_name(folder) | {"set": dump.name}
        for group in read_groups(dump / "examples.jsonl", folder / "hyp.jsonl", tasks, missing):
            present.add(group.spec.name)
            task = {"model": where["model"], "task": group.spec.name, "set": dump.name}
            if group.hyps:
                found["rows"] += _score(group, where, labels, dump)
                shown.setdefault((group.spec.name, where["model"]), []).extend(
                    task | s for s in sample(group)
                )
            else:
                found["not_decoded"].append(task | {"lang": group.name, "count": len(group.rows)})
        if (folder / "heads").is_dir():
            found["word_times"] += score_word_times(folder, dump, where)
        picture = folder.absolute().parent.parent / "loss.png"
        if picture.is_file() and picture not in found["pictures"]:
            found["pictures"].append(picture)
    dumps = dict.fromkeys(dump for _, dump in decoded)
    found["rejected"], found["cut"] = rejections(dumps), cuts(dumps)
    found["without_examples"] = [
        {"task": name, "title": tasks[name].title, "datasets": list(tasks[name].datasets)}
        for name in sorted({*asked} - present)
    ]
    found["examples"] = [row for key in sorted(shown) for row in at_even_distance(shown[key], SHOWN)]
    how = {"batch_size": batch_size, "num_threads": num_threads, "device": device}
    for model in whisper:
        for dump in dumps:
            found["rows"] += _score_whisper(model, dump, results, how, labels, tasks)
    return found


def _score_whisper(model, dump, results, how, labels, tasks) -> list[dict]:
    from qwen_audio.score.whisper_baseline import decode_with_whisper, whisper_name

    out = results / "whisper" / whisper_name(model) / dump.name
    if not decode_with_whisper(model, dump, out, **how):
        return []
    where = {"model": whisper_name(model), "stage": None, "set": dump.name}
    groups = read_groups(dump / "examples.jsonl", out / "hyp.jsonl", tasks)
    return [row for group in groups if group.hyps for row in _score(group, where, labels, dump)]


def _score(group: Group, where: dict, labels: TrainLabels, dump: Path) -> list[dict]:
    rows = score_group(group, where, labels, dump)
    for row in rows:
        value = "undefined" if row["score"] is None else f"{row['score']:.4f}"
        what = " ".join(row[key] for key in ("model", "set", "task", "lang"))
        print(f"{what}: {row['metric']} ({row['protocol']}) {value}, n = {row['count']}", flush=True)
    return rows


def score_group(group: Group, where: dict, labels: TrainLabels, dump: Path) -> list[dict]:
    """One row of results.json for each metric that the task's file names.

    Args:
        where: ``{"model", "stage", "set"}``, copied into each row.
        labels: of the training sets.
        dump: the prepared set; its utt2num_samples is read where the baseline needs lengths.

    Returns:
        Rows with the score, its baseline, the interval, counts of malformed, looped and
        missing answers, and ``parts`` (what else the metric gives).
    """
    spec = group.spec
    refs = {utt: [spec.target_text(row) for row in rows] for utt, rows in group.rows.items()}
    written = {utt: group.hyps[utt]["hyp"] for utt in refs}
    first = next(iter(group.rows.values()))[0]
    common = labels.of(spec, first)
    about = where | {"task": spec.name, "lang": group.name} | _counts(group)
    results = []
    for entry in spec.metrics:
        metric, protocol = metric_name(entry), entry.get("protocol")
        hyps = _confidences(group) if metric == "eer" else written
        name = baseline_name(spec, metric)
        try:
            found = compute(metric, refs, hyps, protocol, group.lang)
        except Absent as error:
            results.append(about | _absent(metric, protocol, len(refs), str(error)) | {"baseline_name": name})
            continue
        seconds = PreparedSet(dump).seconds if needs_seconds(name, spec) else {}
        trivial = baseline_hypotheses(name, spec, common, written, seconds)
        beside = {"baseline": None, "baseline_name": f"{name} (no training examples given)"}
        if trivial is not None:
            score = compute(metric, refs, trivial, protocol, group.lang)["score"]
            beside = {"baseline": score, "baseline_name": name}
        own = {key: found.pop(key) for key in ("metric", "protocol", "score", "count")}
        own |= {"unit": metric_of(metric).unit, "ci95": found.pop("ci95", None)}
        own["malformed"] = found.pop("malformed", about["malformed"])
        results.append(about | own | beside | {"parts": found})
    return results


def _absent(metric: str, protocol: str | None, count: int, reason: str) -> dict:
    """The row of a metric that cannot be computed here: shown as absent, never as a number."""
    row = absent(metric, protocol, count, reason)
    parts = {"absent": row.pop("absent")}
    return row | {"ci95": None, "baseline": None, "unit": metric_of(metric).unit, "parts": parts}


def _confidences(group: Group) -> dict[str, str]:
    """For eer: the belief in ``same``, from the ``logprob`` of the label that was written.

    It is the label's probability, negative for ``different``: so every ``same`` ranks above every ``different``,
    and the surer the farther out, also where the decoder gives much of its probability to neither label. Where
    rows have no ``logprob``, all of them count by their label.
    """
    rows = {utt: group.hyps[utt] for utt in group.rows}
    if not all("logprob" in row or "missing" in row for row in rows.values()):
        return {utt: row["hyp"] for utt, row in rows.items()}
    return {utt: _belief(row["hyp"].strip(), row.get("logprob", 0.0)) for utt, row in rows.items()}


def _belief(label: str, logprob: float) -> str:
    chance = math.exp(logprob)
    return {SAME: str(chance), DIFFERENT: str(-chance)}.get(label, "")


def _counts(group: Group) -> dict:
    """What holds for every metric: where the labels come from, and answers that are not as they should be."""
    origins = {row.get("label_origin", "real") for rows in group.rows.values() for row in rows}
    answers = group.hyps.values()
    known = any("looped" in row for row in answers)  # a decoder need not look for loops
    return {
        "label_origin": "+".join(sorted(origins)),
        "malformed": sum(group.spec.parse(row["hyp"]) is None for row in answers),
        "looped": sum(row.get("looped", False) for row in answers) if known else None,
        "missing": sum("missing" in row for row in answers),
    }


def run_name(decoded: Path) -> dict:
    """``exp/sft_small/decode/SET`` -> ``{"model": "sft_small", "stage": "sft"}``."""
    model = Path(decoded).absolute().parent.parent.name
    stage = model.split("_")[0]
    return {"model": model, "stage": stage if stage in _STAGES else None}


def sample(group: Group) -> list[dict]:
    """Every utterance of ``group`` as ``{"utt", "references", "hypothesis"}``, by utterance id."""
    return [
        {
            "utt": utt,
            "references": [group.spec.target_text(row) for row in group.rows[utt]],
            "hypothesis": group.hyps[utt]["hyp"],
        }
        for utt in sorted(group.rows)
    ]
