"""What is to be aligned: the transcripts of a data directory or a prepared set, each with its audio."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qwen_audio.audio import SAMPLE_RATE, AudioError, is_command, num_samples
from qwen_audio.data.command import command_audio
from qwen_audio.data.format_audio import OVERSHOOT_SECONDS
from qwen_audio.data.kaldi_dir import DEFAULT_LANGUAGE, KaldiDir, Utterance, join, read_table
from qwen_audio.ffmpeg import any_audio
from qwen_audio.tags import MAX_TIME

ALIGNER = "aligner"  # key of an example that says which aligner wrote it


@dataclass(frozen=True)
class Transcript:
    """An utterance and what was said in it.

    Attributes:
        recording: its id; where nothing was cut out of it the same as ``utt``.
        audio: a path, ``file.ark:offset`` or a command.
        start, end: seconds of the segment in the recording; None for all of it, end -1 for its end.
        text: None where nothing is transcribed.
        timed: word times of it stand there that no aligner here wrote.
        reason: why it cannot be aligned; empty if it can.
    """

    utt: str
    recording: str
    audio: str
    start: float | None
    end: float | None
    text: str | None
    language: str
    timed: bool = False
    reason: str = ""

    def seconds(self) -> float:
        """Length; of what libsndfile reads by the header.

        Raises:
            ValueError: if audio cannot be read, or passes the last time token.
        """
        whole = _num_samples(self.audio) / SAMPLE_RATE
        if self.start is None:
            seconds = whole
        elif max(self.start, self.end) > whole + OVERSHOOT_SECONDS:
            raise ValueError(f"segment past the end: {self.start} to {self.end} s of {whole:.3f} s")
        else:
            seconds = (whole if self.end == -1 else min(self.end, whole)) - self.start
        if seconds > MAX_TIME:
            raise ValueError(f"too long: {seconds:.3f} s, the time tokens end at {MAX_TIME:g} s")
        return seconds

    def wave(self) -> np.ndarray:
        """(N,) float32 in ±1 at 16 kHz. Raises: as seconds."""
        begin = round((self.start or 0) * SAMPLE_RATE)
        return _recording(self.audio)[begin : begin + round(self.seconds() * SAMPLE_RATE)]


def read_transcripts(data: Path, tasks: Mapping, language: str | None = None) -> Iterator[Transcript]:
    """The transcripts of ``text`` and of asr rows, one an utterance and language, in byte order of the ids.

    An utterance that nobody transcribed comes once with the text None and the language of utt2lang, else
    English.

    Args:
        tasks: name -> TaskSpec, of load_tasks().
        language: only transcripts in this one; what is not transcribed counts as spoken in it.

    Raises:
        ValueError: as KaldiDir.
    """
    tables = {"said": ((utterance.id, utterance) for utterance in KaldiDir(data, tasks, False).utterances())}
    if (data / "utt2lang").is_file():
        tables["language"] = read_table(data / "utt2lang")
    for _, found in join(tables):
        if "said" in found:
            spoken = language or found.get("language", (0, DEFAULT_LANGUAGE))[1]
            yield from _of_utterance(found["said"], spoken, language)


def _of_utterance(utterance: Utterance, spoken: str, only: str | None) -> Iterator[Transcript]:
    texts: dict[str, str | None] = {}
    timed = {row["audio_lang"] for row in utterance.examples if row["task"] == "srwt" and ALIGNER not in row}
    for row in utterance.examples:
        if row["task"] == "asr":
            texts.setdefault(row["audio_lang"], row["text"])
    refused = next((reason for task, reason in utterance.refused if task == "asr"), "")
    for code, text in (texts or {spoken: None}).items():
        if only not in (None, code):
            continue
        reason = utterance.reason or ("" if texts else refused)
        place = (utterance.recording, utterance.audio, utterance.start, utterance.end)
        yield Transcript(utterance.id, *place, text, code, code in timed, reason)


@functools.lru_cache(maxsize=1)
def _recording(audio: str) -> np.ndarray:
    """The recording read last is kept: its next segment mostly follows."""
    return (command_audio if is_command(audio) else any_audio)(audio)


def _num_samples(audio: str) -> int:
    try:
        return num_samples(audio)
    except AudioError:  # perhaps ffmpeg reads it
        return len(_recording(audio))
