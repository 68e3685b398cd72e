"""Transcripts in files: of recordings of any length and format, and of decoded rows."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from qwen_audio.audio import SAMPLE_RATE, AudioError
from qwen_audio.backbone import resolve
from qwen_audio.data.timed_words import Transcript, timed_transcript
from qwen_audio.data.word_writers import FORMATS, write_transcript
from qwen_audio.ffmpeg import any_blocks
from qwen_audio.infer.decode import HYP, SUMMARY
from qwen_audio.infer.load import LoadedModel, load_model
from qwen_audio.infer.long_audio import SHORTEST_WINDOW, unfinished_note, windows, words_of_recording
from qwen_audio.infer.pretrained import load_whisper
from qwen_audio.registry import nearest
from qwen_audio.tags import LANGUAGES, MAX_TIME
from qwen_audio.task_spec import WORDS, TaskSpec
from qwen_audio.words import HeardWord, parse_words

REJECTED = "rejected.tsv"


def check_recordings(paths: list[str], language: str, window_seconds: float) -> None:
    """Whether all can be asked for, before a model is loaded.

    Raises:
        ValueError: naming the file that is missing, two files that would give one, the language or the window.
    """
    if language not in LANGUAGES:
        raise ValueError(f"--language {language!r}{nearest(language, LANGUAGES)}")
    if not SHORTEST_WINDOW <= window_seconds <= MAX_TIME:
        raise ValueError(f"--window is {window_seconds:g}; write {SHORTEST_WINDOW:g} to {MAX_TIME:g} seconds")
    named: dict[str, str] = {}
    for path in paths:
        if not Path(path).is_file():
            raise ValueError(f"--audio {path}: there is no such file")
        other = named.setdefault(Path(path).stem, path)
        if other != path:
            raise ValueError(
                f"{other} and {path} would both be written as {Path(path).stem}; give each its own --output"
            )


def load_speech_model(
    model: str, device: str = "cpu", dtype: str = "float32", quantize: str | None = None
) -> LoadedModel:
    """The model of a trained run's folder, or, if ``model`` is a folder of pretrained weights, that Whisper.

    Raises:
        ValueError: as load_model and load_whisper.
    """
    pretrained = (Path(resolve(model)) / "config.json").is_file()
    return (load_whisper if pretrained else load_model)(model, device, dtype, quantize)


def transcribe(
    loaded, head, paths: list[str], language: str, window_seconds: float, output: Path, formats: list[str]
) -> dict:
    """Write ``output/STEM.suffix`` for each recording and format, rejected.tsv and summary.json.

    A recording that cannot be read to its end is rejected with the reason; the others are written. Of which one
    windows were not written to their end is printed.

    Args:
        head: of ``recording_head``.

    Returns:
        the summary: recordings, rejected, words, unfinished (windows whose answer was cut), audio_seconds, seconds
        (wall), real_time_factor.

    Raises:
        ValueError: if not one recording could be read, with the first reason.
    """
    output.mkdir(parents=True, exist_ok=True)
    begin, words, heard, rejected = time.monotonic(), 0, 0.0, []
    for path in paths:
        recording, before = _Recording(path), head.unfinished
        pieces = windows(recording.blocks(), window_seconds)
        try:
            found = list(words_of_recording(loaded, head, pieces, language, f"windows of {Path(path).name}"))
        except AudioError as fault:
            rejected.append((path, str(fault)))
            print(f"rejected: {fault}", flush=True)
            continue
        if cut := head.unfinished - before:
            print(f"{path}: {unfinished_note(cut)}", flush=True)
        transcript = timed_transcript(Path(path).stem, language, recording.samples / SAMPLE_RATE, found)
        write_transcript(transcript, output, transcript.name, formats)
        words, heard = words + len(transcript.words), heard + transcript.seconds
    seconds = time.monotonic() - begin
    rows = "".join(f"{path}\t{reason}\n" for path, reason in rejected)
    (output / REJECTED).write_text(rows, encoding="utf-8")
    if len(rejected) == len(paths):
        raise ValueError(f"none of {len(paths)} recordings could be read: {rejected[0][1]}")
    summary = {
        "recordings": len(paths) - len(rejected),
        "rejected": len(rejected),
        "words": words,
        "unfinished": head.unfinished,
        "audio_seconds": heard,
        "seconds": seconds,
        "real_time_factor": seconds / max(heard, 1e-9),
    }
    (output / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def check_formats(formats: list[str], tasks: list[str], specs: dict[str, TaskSpec]) -> None:
    """Raises: ValueError if no answer to ``tasks`` can be written in any of ``formats``."""
    if any(_timed(specs[task]) for task in tasks):
        return
    if not any(specs[task].transcribes for task in tasks) or all(
        FORMATS[name].needs_times for name in formats
    ):
        timed = ", ".join(name for name, spec in specs.items() if _timed(spec))
        raise ValueError(
            f"--format {' '.join(formats)} needs a task whose answer has words with times ({timed}), txt one that"
            f" transcribes; the set's tasks that the model knows: {', '.join(tasks)}"
        )


def write_hypotheses(output: Path, formats: list[str], specs: dict[str, TaskSpec]) -> str:
    """Write ``output/TASK/LANGUAGE/UTT.suffix`` for each row of ``output/hyp.jsonl`` that transcribes.

    Returns:
        how many files, and how many answers have no words to write, as a line.
    """
    written = empty = 0
    for line in (output / HYP).read_bytes().splitlines():
        row = json.loads(line)
        transcript = _of_row(row, specs[row["task"]])
        if transcript is None:
            empty += specs[row["task"]].transcribes
            continue
        folder = output / specs[row["task"]].stream(row)
        written += len(write_transcript(transcript, folder, quote(row["utt"], safe=" "), formats))
    return f"{written} files of words; {empty} answers hold none"


def _of_row(row: dict, spec: TaskSpec) -> Transcript | None:
    """None where there are no words to write."""
    if not spec.transcribes or not row["hyp"].strip():
        return None
    if not _timed(spec):
        return Transcript(row["utt"], row["text_lang"], row["seconds"], " ".join(row["hyp"].split()))
    words = parse_words(row["hyp"])
    if words is None:
        return None
    timed = [HeardWord(word, start, end, None) for start, end, word in words]
    return timed_transcript(row["utt"], row["text_lang"], row["seconds"], timed)


def _timed(spec: TaskSpec) -> bool:
    return spec.transcribes and spec.target == WORDS


class _Recording:
    """A file that libsndfile or ffmpeg reads; ``samples`` counts what was read at 16 kHz."""

    def __init__(self, path: str):
        self.path, self.samples = path, 0

    def blocks(self) -> Iterator[np.ndarray]:
        for block in any_blocks(self.path):
            self.samples += len(block)
            yield block
