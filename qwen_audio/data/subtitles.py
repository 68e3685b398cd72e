"""Words grouped into subtitle cues, written as SubRip (.srt) or WebVTT (.vtt).

Characters, lines and seconds of a cue are those of Netflix's Timed Text Style Guide (general requirements;
English, Chinese, Korean and Japanese guides).
"""

import math
from dataclasses import dataclass

from qwen_audio.data.timed_words import Transcript, closes, join_words, one_at_a_time

LINE = 42  # characters; where they are twice as wide, fewer
WIDE_LINE = {"zh": 16, "zh_tr": 16, "yue": 16, "ko": 16, "ja": 13}
SHORTEST, LONGEST = 833, 7000  # ms; the shortest is 5/6 s
PAUSE = 1000  # ms; our own choice: half of what the Chinese guide marks as a pause
SENTENCE_ENDS, QUOTES = tuple(".?!…。？！"), "\"'”’»」』)"
# SubRip has no escapes: players take these for tags, and --> for times.
SRT_MARKUP = str.maketrans("<>{}", "‹›()")
VTT_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Cue:
    """What is shown at once, from ``start`` to ``end`` in milliseconds."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """Subtitles of at most two lines and 7 s, which end at pauses and, from 5/6 s on, at ends of sentences.

    One shorter than 5/6 s stays as long as that, where the next does not begin before. A word longer than a
    line is not cut.
    """
    groups: list[list[tuple[str, int, int]]] = []
    for word in _with_marks(one_at_a_time(transcript.words), transcript.language):
        if groups and _goes_on(groups[-1], word, transcript.language):
            groups[-1].append(word)
        else:
            groups.append([word])
    begins = [group[0][1] for group in groups]
    result = []
    for group, start, following in zip(groups, begins, [*begins[1:], math.inf]):
        end = min(max(group[-1][2], start + SHORTEST), start + LONGEST, following)
        result.append(Cue(start, end, _lines([word[0] for word in group], transcript.language)))
    return result


def srt(transcript: Transcript) -> str:
    """A SubRip file: numbered cues."""
    shown = enumerate(cues(transcript), 1)
    return "\n".join(f"{number}\n{_cue(cue, ',', SRT_MARKUP)}" for number, cue in shown)


def vtt(transcript: Transcript) -> str:
    """A WebVTT file."""
    return "\n".join(["WEBVTT\n", *(_cue(cue, ".", VTT_MARKUP) for cue in cues(transcript))])


def _cue(cue: Cue, mark: str, markup: dict) -> str:
    text = "".join(f"{line.translate(markup)}\n" for line in cue.lines)
    return f"{_clock(cue.start, mark)} --> {_clock(cue.end, mark)}\n{text}"


def _clock(milliseconds: int, mark: str) -> str:
    """3723004 -> 01:02:03,004"""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{rest:03d}"


def _with_marks(words: list[tuple[str, int, int]], language: str) -> list[tuple[str, int, int]]:
    """Marks that are words of their own join the word before them, so that none begins a line."""
    joined: list[tuple[str, int, int]] = []
    for text, start, end in words:
        if joined and closes(text):
            before, start, _ = joined.pop()
            text = join_words([before, text], language)
        joined.append((text, start, end))
    return joined


def _goes_on(group: list[tuple[str, int, int]], word: tuple[str, int, int], language: str) -> bool:
    """Whether ``word`` belongs to the cue of ``group``."""
    begin, (last, _, spoken) = group[0][1], group[-1]
    if word[1] - spoken >= PAUSE or word[2] - begin > LONGEST:
        return False
    if last.rstrip(QUOTES).endswith(SENTENCE_ENDS) and spoken - begin >= SHORTEST:
        return False
    lines = _lines([text for text, _, _ in [*group, word]], language)
    return all(len(line) <= _width(language) for line in lines)


def _lines(words: list[str], language: str) -> tuple[str, ...]:
    """One line, or, if they do not fit there, two of most equal length."""
    whole = join_words(words, language)
    if len(whole) <= _width(language) or len(words) == 1:
        return (whole,)
    halves = (
        (join_words(words[:cut], language), join_words(words[cut:], language)) for cut in range(1, len(words))
    )
    return min(halves, key=lambda lines: max(map(len, lines)))


def _width(language: str) -> int:
    return WIDE_LINE.get(language, LINE)
