"""Stage 7: decode a tokenised set into hyp.jsonl."""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from qwen_audio.arkio import read_matrix
from qwen_audio.audio import SAMPLE_RATE, read_audio
from qwen_audio.data.json_rows import ResumedRows, write_rows
from qwen_audio.data.token_set import TokenSet
from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips, encoded_samples
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.requests import Request, batches, count_by_task, read_requests
from qwen_audio.infer.timed import Timed
from qwen_audio.progress import progress
from qwen_audio.registry import nearest
from qwen_audio.task_spec import TaskSpec, task_of

HYP, PARTIAL, SUMMARY = "hyp.jsonl", "hyp.partial.jsonl", "summary.json"
HEADS = "heads"  # folder of `qwen-audio time_words`, which reads hyp.jsonl


def decode(
    loaded: LoadedModel,
    data: TokenSet,
    output: str | Path,
    config: InferenceConfig,
    specs: dict[str, TaskSpec],
    tasks: list[str] | None = None,
    label: str = "",
) -> dict:
    """Decode ``data`` and write hyp.jsonl and summary.json into ``output``.

    Rows are added to hyp.partial.jsonl as they are decoded; called again after a break with the same model
    and options, it goes on from there. hyp.jsonl appears, complete and sorted by utterance, at the end; where it
    stands already, by the same model and options from the same set, nothing is decoded. With a new
    hyp.jsonl the word times in heads/ go: they are of what it replaces.

    Args:
        tasks: those to decode; by default all that both the set and the model have.
        label: what identifies the model (weights_id), to tell whether a file is its.

    Returns:
        the summary: texts, utterances, seconds (wall), audio_seconds, looped, cut, real_time_factor …, and ``of``,
        what was decoded by what.

    Raises:
        ValueError: if the set was tokenised for another model, has no such task, or audio cannot be read.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    _check(loaded, data)
    requests = read_requests(data, choose(loaded, data, tasks), specs)
    of = {"model": label, "dtype": str(loaded.dtype), "options": dataclasses.asdict(config)}
    written = (data.folder / "meta.json").stat().st_mtime_ns  # the same tokens may stand for other audio
    of = json.loads(json.dumps(of | {"set": data.meta["sha256"], "written": written}))
    if (before := _decoded(output, of, requests)) is not None:
        print(f"{output}: decoded before; to repeat it, remove {output / HYP}", flush=True)
        return before
    partial = ResumedRows(output / PARTIAL, of, _key)
    waiting = [request for request in requests if request.key not in partial.done]
    if len(waiting) < len(requests):
        print(f"{output}: {len(requests) - len(waiting)} texts were decoded before the break", flush=True)
    begin = time.monotonic()
    with partial:
        for row in progress(
            _decode(loaded, data, waiting, config, specs), len(waiting), f"decode {data.folder.name}"
        ):
            partial.add(row)
    seconds = time.monotonic() - begin
    rows = [partial.done[key] for key in sorted(request.key for request in requests)]
    summary = _summary(requests, waiting, rows, seconds) | {"of": of}
    (output / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(output / HEADS, ignore_errors=True)
    write_rows(output / HYP, rows)
    partial.path.unlink()
    return summary


def report(summary: dict) -> str:
    """The summary as one line."""
    return (
        f"{summary['texts']} texts ({summary['by_task']}) of {summary['utterances']} utterances,"
        f" {summary['audio_seconds']:.0f} s of audio, in {summary['seconds']:.0f} s:"
        f" {summary['utterances_per_second']:.2f} utterances/s,"
        f" real-time factor {summary['real_time_factor']:.3f};"
        f" {summary['looped']} looped, {summary['cut']} cut at max_new_tokens"
    )


def _decode(loaded, data, requests: list[Request], config: InferenceConfig, specs) -> Iterator[dict]:
    tasks = dict.fromkeys(request.task for request in requests)
    grammars = {name: grammar_of(specs[name], loaded.tokenizer, loaded.shares_times) for name in tasks}
    timed = Timed(loaded, config, specs)
    for batch in batches(
        requests,
        lambda samples: encoded_samples(loaded.model, samples),
        **config.batch_conf,
        rate=SAMPLE_RATE,
    ):
        first = {request.utt: request for request in reversed(batch)}
        place = {utt: number for number, utt in enumerate(first)}
        clips = Clips(
            loaded,
            [_read(data, request.row) for request in first.values()],
            [request.samples for request in first.values()],
            [_prompt(data, request.row) for request in first.values()],
        )
        heard = {}  # answers of this batch, by clip, task and languages
        for task in sorted({request.task for request in batch}, key=timed.answers):  # words are timed last
            asked = [request for request in batch if request.task == task]
            which = [place[request.utt] for request in asked]
            if timed.answers(task):
                texts, answers = timed.answer(clips, which, asked, heard)
            else:
                prompts = [_prompt(data, request.row) for request in asked]
                answers = clips.answer(which, prompts, grammars[task], config.search_options(specs[task]))
                texts = [loaded.tokenizer.decode(answer.tokens) for answer in answers]
                heard |= {(at, *request.spoken): answer for at, request, answer in zip(which, asked, answers)}
            for request, text, answer in zip(asked, texts, answers, strict=True):
                yield {
                    "utt": request.utt,
                    "task": task,
                    **request.asked,
                    "prompt": request.prompt,
                    "hyp": text,
                    "tokens": len(answer.tokens),
                    "logprob": round(sum(answer.logprobs), 4),
                    "looped": answer.looped,
                    "ended": answer.ended,
                    "seconds": request.samples / SAMPLE_RATE,
                }


def _prompt(data: TokenSet, row: int) -> list[int]:
    return data.text(row)[: data.rows[row]["prompt"]].tolist()


def _read(data: TokenSet, row: int) -> torch.Tensor:
    """(N,) samples or (T, mels) features."""
    read = read_matrix if data.meta["feats_type"] == "fbank" else read_audio
    return torch.from_numpy(read(data.audio_spec(row)))


def _check(loaded: LoadedModel, data: TokenSet) -> None:
    tokenizer = loaded.tokenizer
    made, ours = (data.meta["placeholder"], data.meta["pad"]), (tokenizer.placeholder, tokenizer.pad)
    if made != ours:
        raise ValueError(
            f"{data.folder} was tokenised by {data.meta['tokenizer']}, not by the model's tokenizer"
            f" {tokenizer.folder}; run stage 2 for this model"
        )


def choose(loaded: LoadedModel, data: TokenSet, tasks: list[str] | None) -> list[str]:
    """``tasks``, or where none are given all that both the set and the model have.

    Raises:
        ValueError: if the set has no such task, or none of the model's.
    """
    present = list(dict.fromkeys(map(task_of, data.tasks)))
    for task in tasks or []:
        if task not in present:
            raise ValueError(f"{data.folder} has no task {task!r}{nearest(task, present)}")
    if tasks:
        return list(tasks)
    chosen = [task for task in present if task in loaded.tasks]
    left_out = [task for task in present if task not in loaded.tasks]
    if left_out:
        print(f"{data.folder}: not decoded, because the model was not trained on them: {', '.join(left_out)}")
    if not chosen:
        raise ValueError(
            f"{data.folder} has none of the model's tasks ({', '.join(loaded.tasks)}); name some: --tasks"
        )
    return chosen


def _decoded(output: Path, of: dict, requests: list[Request]) -> dict | None:
    """The summary in ``output``, if what stands there is whole and of ``of``."""
    if (output / PARTIAL).exists() or not all((output / name).is_file() for name in (HYP, SUMMARY)):
        return None
    summary = json.loads((output / SUMMARY).read_text(encoding="utf-8"))
    with open(output / HYP, encoding="utf-8") as stream:
        keys = [_key(json.loads(line)) for line in stream]
    return summary if summary.get("of") == of and keys == sorted(r.key for r in requests) else None


def _key(row: dict) -> tuple[str, str, str]:
    """Of the request that a row answers."""
    return row["utt"], row["task"], row["prompt"]


def _summary(requests: list[Request], decoded: list[Request], rows: list[dict], seconds: float) -> dict:
    """Rates are of what was decoded in this call."""
    clips = {request.utt: request.samples / SAMPLE_RATE for request in decoded}
    return {
        "texts": len(rows),
        "by_task": count_by_task(requests),
        "utterances": len({request.utt for request in requests}),
        "audio_seconds": sum(clips.values()),
        "seconds": seconds,
        "utterances_per_second": len(clips) / max(seconds, 1e-9),
        "real_time_factor": seconds / max(sum(clips.values()), 1e-9),
        "looped": sum(row["looped"] for row in rows),
        "cut": sum(not row["ended"] and not row["looped"] for row in rows),
    }
