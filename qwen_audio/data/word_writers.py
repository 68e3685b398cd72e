"""Write words with times as other programs read them: txt, JSON, CTM, TextGrid, SubRip, WebVTT, Audacity labels.

What qwen_audio/data/word_files.py reads, CTM and TextGrid, comes back from there as it was.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qwen_audio.data.subtitles import srt, vtt
from qwen_audio.data.timed_words import Transcript, one_at_a_time


def txt(transcript: Transcript) -> str:
    """The text in one line."""
    return f"{transcript.text}\n"


def json_words(transcript: Transcript) -> str:
    """An object: language, seconds, text, and words as ``{"word", "start", "end", "confidence"}`` in seconds."""
    about = {
        "language": transcript.language,
        "seconds": round(transcript.seconds, 3),
        "text": transcript.text,
    }
    return json.dumps({**about, "words": word_rows(transcript)}, ensure_ascii=False, indent=1) + "\n"


def word_rows(transcript: Transcript) -> list[dict]:
    """Each word as ``{"word", "start", "end", "confidence"}``, in seconds; without a confidence where there is none."""
    return [
        {"word": word, "start": round(start, 3), "end": round(end, 3)}
        | ({} if confidence is None else {"confidence": round(confidence, 3)})
        for word, start, end, confidence in transcript.words
    ]


def ctm(transcript: Transcript) -> str:
    """``ID 1 START_S DURATION_S WORD [CONFIDENCE]`` a line; a blank in a name or word becomes an underscore."""
    lines = []
    for word, start, end, confidence in transcript.words:
        begin = round(start, 3)
        fields = [
            _unbroken(transcript.name),
            "1",
            f"{begin:.3f}",
            f"{max(round(end, 3) - begin, 0):.3f}",
            _unbroken(word),
        ]
        lines.append(" ".join(fields + ([] if confidence is None else [f"{confidence:.3f}"])) + "\n")
    return "".join(lines)


def textgrid(transcript: Transcript) -> str:
    """A TextGrid in Praat's long form: a tier called words, silence in empty intervals, quotes doubled."""
    words = one_at_a_time(transcript.words)
    end = max([round(1000 * transcript.seconds), 1, *(word[2] for word in words)])
    intervals, at = [], 0
    for word, start, stop in [*words, ("", end, end)]:
        if start > at:
            intervals.append((at, start, ""))
        if word:
            intervals.append((start, stop, word.replace('"', '""')))
        at = stop
    span = f"xmin = 0\nxmax = {end / 1000}\n"
    head = (
        f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{span}tiers? <exists>\nsize = 1\nitem []:\n'
    )
    tier = f'item [1]:\nclass = "IntervalTier"\nname = "words"\n{span}intervals: size = {len(intervals)}\n'
    rows = (
        f'intervals [{number}]:\nxmin = {start / 1000}\nxmax = {stop / 1000}\ntext = "{word}"\n'
        for number, (start, stop, word) in enumerate(intervals, 1)
    )
    return head + tier + "".join(rows)


def audacity(transcript: Transcript) -> str:
    """A label track as Audacity imports it: start, end and word between tabs, in seconds."""
    return "".join(f"{start:.6f}\t{end:.6f}\t{word}\n" for word, start, end, _ in transcript.words)


@dataclass(frozen=True)
class Format:
    """One way to write a transcript into a file of its own."""

    suffix: str
    write: Callable[[Transcript], str]
    needs_times: bool = True


FORMATS = {
    "txt": Format(".txt", txt, needs_times=False),
    "json": Format(".json", json_words),
    "ctm": Format(".ctm", ctm),
    "textgrid": Format(".TextGrid", textgrid),
    "srt": Format(".srt", srt),
    "vtt": Format(".vtt", vtt),
    "audacity": Format(".labels.txt", audacity),
}


def write_transcript(transcript: Transcript, folder: Path, stem: str, formats: list[str]) -> list[Path]:
    """Write ``folder/STEM.suffix`` in each of ``formats``; one without times only in those that need none."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form in (FORMATS[name] for name in formats):
        if transcript.words is None and form.needs_times:
            continue
        path = folder / f"{stem}{form.suffix}"
        part = path.with_name(f"{path.name}.new")
        part.write_text(form.write(transcript), encoding="utf-8")
        os.replace(part, path)
        paths.append(path)
    return paths


def _unbroken(text: str) -> str:
    return "_".join(text.split())
