"""Stage 2: examples and tags to token ids (``dump/tokens/SET``), with the tokenizer of the run."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from qwen_audio.data.kaldi_dir import fields
from qwen_audio.data.token_set_writer import TokenSetWriter
from qwen_audio.progress import progress
from qwen_audio.task_folders import OWN_TASKS, find_task
from qwen_audio.task_spec import WORDS, TaskSpec
from qwen_audio.tokenizer import Tokenizer


def tokenize(
    source: Path, target: Path, tokenizer: Tokenizer, tasks: dict[str, TaskSpec], only: list[str] = ()
) -> Counter:
    """Write the tokenised set ``target`` from the formatted set ``source``; returns rows per task.

    Every row of an utterance whose transcript is known carries it as CTC target, whatever its task.

    Args:
        only: tasks to take, by default all; rows of others are counted and printed.

    Raises:
        ValueError: if a task of ``only`` has no YAML, or nothing is left.
    """
    source = Path(source)
    for name in only:
        if name not in tasks:
            raise ValueError(
                f"--tasks: {name!r} has no recipes/tasks/{name}.yaml, nor {OWN_TASKS / name}.yaml here; there are"
                f" {', '.join(tasks)}"
            )
    scp = "feats.scp" if (source / "feats.scp").exists() else "wav.scp"
    counts, others = Counter(), Counter()
    with TokenSetWriter(target) as writer:
        with (
            open(source / scp, encoding="utf-8") as audio,
            open(source / "utt2num_samples", encoding="utf-8") as lengths,
        ):
            places = (line.rstrip("\n").split(" ", 1) for line in audio)
            samples = (int(fields(line)[1]) for line in lengths)
            spoken = zip(places, samples)
            at, utt_row = None, -1
            examples = source / "examples.jsonl"
            for utt, rows in progress(_utterances(examples), None, f"tokenize {source}"):
                specs = [find_task(row["task"], tasks, examples) for _, row in rows]
                transcript = _transcript(rows, tasks)
                ctc = tokenizer.encode(transcript) if transcript else []
                for (offset, row), spec in zip(rows, specs, strict=True):
                    if only and row["task"] not in only:
                        others[row["task"]] += 1
                        continue
                    while at is None or at[0][0] != utt:
                        at = next(spoken)
                        utt_row = -1
                    if utt_row < 0:
                        utt_row = writer.add_audio(utt, at[0][1])
                    prompt, answer = encode_example(row, spec, tokenizer)
                    writer.add(prompt, answer, ctc, at[1], spec.stream(row), utt_row, offset)
                    counts[row["task"]] += 1
        if not counts:
            raise ValueError(
                f"{source}: no example is left; it has none of the tasks {', '.join(only) or 'known'}"
            )
        writer.close(
            {
                "tokenizer": str(tokenizer.folder),
                "pad": tokenizer.pad,
                "placeholder": tokenizer.placeholder,
                "examples": str(examples),
                "feats_type": "fbank" if scp == "feats.scp" else "raw",
            }
        )
    if others:
        named = ", ".join(f"{task} {count}" for task, count in sorted(others.items()))
        print(f"{source}: left out by --tasks: {named}")
    return counts


def encode_example(row: dict, spec: TaskSpec, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of an example's prompt, and of its answer with the end-of-text token."""
    prompt = tokenizer.encode_pieces(spec.prompt_pieces(row))
    return prompt, [*tokenizer.encode_pieces(spec.target_pieces(row)), tokenizer.end]


def _utterances(path: Path) -> Iterator[tuple[str, list[tuple[int, dict]]]]:
    """(utterance, its (byte offset, example) pairs) in the file's order."""

    def rows():
        offset = 0
        with open(path, "rb") as stream:
            for line in stream:
                yield offset, json.loads(line)
                offset += len(line)

    for utt, group in groupby(rows(), key=lambda pair: pair[1]["utt"]):
        yield utt, list(group)


def _transcript(rows: list[tuple[int, dict]], tasks: dict[str, TaskSpec]) -> str | None:
    """The words spoken in an utterance, from whichever of its examples holds them; best one without times."""
    found = [(row.get(WORDS) is not None, tasks[row["task"]].transcript(row)) for _, row in rows]
    return next((text for _, text in sorted(found, key=lambda pair: pair[0]) if text), None)
