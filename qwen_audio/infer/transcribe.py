"""Transcripts in files: of recordings of any length and format, and of decoded rows."""

import itertools
import json
import re
import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from qwen_audio.audio import SAMPLE_RATE, AudioError
from qwen_audio.backbone import resolve
from qwen_audio.data.timed_words import Transcript, timed_transcript
from qwen_audio.data.word_writers import FORMATS, write_transcript
from qwen_audio.infer.decode import HYP, SUMMARY
from qwen_audio.infer.load import LoadedModel, load_model
from qwen_audio.infer.long_audio import SHORTEST_WINDOW, Window, hear_windows, unfinished_note, windows
from qwen_audio.infer.pretrained import load_whisper
from qwen_audio.infer.recordings import Recording
from qwen_audio.infer.stitch import Heard, stitch
from qwen_audio.progress import progress
from qwen_audio.registry import nearest
from qwen_audio.tags import LANGUAGES, MAX_TIME
from qwen_audio.task_spec import WORDS, TaskSpec
from qwen_audio.timestamp.head import TimestampHead
from qwen_audio.words import HeardWord, parse_words

REJECTED = "rejected.tsv"  # id, audio, reason
_SUMMARY = re.compile(r"summary(\.\d+_of_\d+)?\.json")  # SUMMARY, also of a shard


def check_asked(language: str, window_seconds: float) -> None:
    """Raises: ValueError naming the language or the window that cannot be asked for, before a model is loaded."""
    if language not in LANGUAGES:
        raise ValueError(f"--language {language!r}{nearest(language, LANGUAGES)}")
    if not SHORTEST_WINDOW <= window_seconds <= MAX_TIME:
        raise ValueError(f"--window is {window_seconds:g}; write {SHORTEST_WINDOW:g} to {MAX_TIME:g} seconds")


def check_stems(recordings: list[Recording], formats: list[str]) -> None:
    """Raises: ValueError naming a recording whose transcript would be written over by a summary."""
    if "json" not in formats:
        return
    for recording in recordings:
        if _SUMMARY.fullmatch(f"{recording.stem}{FORMATS['json'].suffix}"):
            raise ValueError(
                f"{recording.audio}: its transcript and the summary would both be written as {recording.stem}.json;"
                " rename it, or give it another id in a file of lines ID PATH, and name that: --scp wav.scp"
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
    loaded: LoadedModel,
    head: TimestampHead,
    recordings: list[Recording],
    language: str,
    window_seconds: float,
    output: Path,
    formats: list[str],
    before: int = 0,
    shard: str = "",
) -> dict:
    """Write ``output/STEM.suffix`` for each recording and format, rejected.tsv and summary.json.

    A recording that cannot be read to its end is rejected with the reason, at once; the others are written, each
    when its last window was heard. Of which one windows were not written to their end is printed.

    Args:
        head: of ``recording_head``.
        before: how many others were done before.
        shard: ``I/N`` where others fill the same folder: rejected.I_of_N.tsv and summary.I_of_N.json are written.

    Returns:
        the summary of this call: recordings, rejected, before, words, unfinished (windows whose answer was cut),
        audio_seconds, seconds (wall), real_time_factor (0 where nothing was heard).

    Raises:
        ValueError: if not one recording could be read, with the first reason.
    """
    output.mkdir(parents=True, exist_ok=True)
    begin, words, audio_seconds, unfinished = time.monotonic(), 0, 0.0, 0
    rejected: dict[Recording, str] = {}
    with open(_of_shard(output / REJECTED, shard), "w", encoding="utf-8") as listed:
        pieces = _windows(recordings, window_seconds, rejected, listed)
        heard = hear_windows(loaded, head, pieces, language)
        for recording, parts in _by_recording(heard, recordings):
            if recording in rejected:
                continue
            if cut := sum(part.cut for part in parts):
                print(f"{recording.audio}: {unfinished_note(cut)}", flush=True)
            seconds = recording.samples / SAMPLE_RATE
            transcript = timed_transcript(recording.name, language, seconds, list(stitch(parts)))
            write_transcript(transcript, output, recording.stem, formats)
            words, unfinished = words + len(transcript.words), unfinished + cut
            audio_seconds += seconds
    if rejected and len(rejected) == len(recordings) and not before:
        raise ValueError(f"none of {len(rejected)} recordings could be read: {next(iter(rejected.values()))}")
    seconds = time.monotonic() - begin
    summary = {
        "recordings": len(recordings) - len(rejected),
        "rejected": len(rejected),
        "before": before,
        "words": words,
        "unfinished": unfinished,
        "audio_seconds": audio_seconds,
        "seconds": seconds,
        "real_time_factor": seconds / audio_seconds if audio_seconds else 0.0,
    }
    _of_shard(output / SUMMARY, shard).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _windows(
    recordings: list[Recording], seconds: float, rejected: dict[Recording, str], listed: TextIO
) -> Iterator[tuple[Recording, Window]]:
    """The windows of all; of a recording that cannot be read to its end, those before the fault."""
    for recording in recordings:
        try:
            for window in windows(recording.blocks(), seconds):
                yield recording, window
        except AudioError as fault:
            rejected[recording] = str(fault)
            print(f"rejected: {fault}", flush=True)
            print(recording.name, recording.audio, fault, sep="\t", file=listed, flush=True)


def _by_recording(
    heard: Iterator[tuple[Recording, Heard]], recordings: list[Recording]
) -> Iterator[tuple[Recording, list[Heard]]]:
    """Each recording with its windows; progress is said of windows where there is one alone."""
    if len(recordings) == 1:
        heard = progress(heard, None, f"windows of {recordings[0].name}")
    found = (
        (recording, [part for _, part in group])
        for recording, group in itertools.groupby(heard, itemgetter(0))
    )
    return found if len(recordings) == 1 else progress(found, len(recordings), "recordings")


def _of_shard(path: Path, shard: str) -> Path:
    """``summary.json`` -> ``summary.1_of_4.json``"""
    return path.with_suffix(f".{shard.replace('/', '_of_')}{path.suffix}") if shard else path


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
