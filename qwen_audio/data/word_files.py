"""Read word times as aligners write them: CTM, Praat TextGrids, FunASR's timestamp files.

Each reader gives (start_s, end_s, word), times from the beginning of the recording and rounded to a
millisecond. Silence is left out, which is how examples.jsonl has it.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from praatio import textgrid
from praatio.utilities.errors import PraatioException

from qwen_audio.data.kaldi_dir import fields
from qwen_audio.words import Word

SILENCES = ("", "<eps>", "sil", "<sil>", "!sil", "sp", "<|sil|>")  # of Kaldi, Montreal, FunASR
UNKNOWN = ("<unk>", "[unk]", "<unk/>", "spn")  # an aligner's words for what is not in its dictionary
ROUNDED = 0.0105  # seconds that a word may reach into the next: times in hundredths, each rounded by itself
_HAN = re.compile("[\u3400-\u9fff]")
_TIER = re.compile(r"(?:.* - )?words?", re.IGNORECASE)  # where speakers are named, "NAME - words"


def read_ctm(path: Path) -> dict[str, list[Word]]:
    """A CTM, ``ID CHANNEL START_S DURATION_S WORD [CONFIDENCE]``: words by id, in time order.

    Start and duration are rounded each by itself, so that a word may seem to end within the next one: it ends
    where that begins. One that reaches in further is left as it is.

    Raises:
        ValueError: naming the line that is no such line, or has another channel than the lines before it.
    """
    words: dict[str, list[Word]] = {}
    channels: dict[str, str] = {}
    for number, line in _lines(path):
        if line.startswith(";;"):
            continue
        try:
            name, channel, start, duration, word = fields(line)[:5]
            times = _times(start, duration)
        except ValueError:
            raise ValueError(f"{path}:{number}: {line!r}; write ID CHANNEL START_S DURATION_S WORD") from None
        if channels.setdefault(name, channel) != channel:
            mend = "give each channel its own id, as Kaldi does"
            raise ValueError(f"{path}:{number}: {name} has channels {channels[name]} and {channel}; {mend}")
        words.setdefault(name, []).extend(_spoken(times[0], times[0] + times[1], word))
    return {name: _without_overlap(sorted(found)) for name, found in words.items()}


def read_textgrid(path: Path) -> list[Word]:
    """The word tier of a TextGrid, as the Montreal Forced Aligner writes it, in its long or short form.

    Raises:
        ValueError: naming the file that is no TextGrid, or its tiers where not one of them is of words.
    """
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, duplicateNamesMode="rename")
    except (PraatioException, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no TextGrid ({error}); align the recording anew") from None
    tiers = [name for name in grid.tierNames if _TIER.fullmatch(name)]
    if len(tiers) != 1 or not isinstance(grid.getTier(tiers[0]), textgrid.IntervalTier):
        found = ", ".join(grid.tierNames) or "none"
        raise ValueError(f"{path}: tiers {found}; one is to be called words, with intervals of one speaker")
    entries = grid.getTier(tiers[0]).entries
    return [word for start, end, label in entries for word in _spoken(start, end, label)]


def read_funasr(path: Path) -> dict[str, list[Word]]:
    """FunASR's word times by utterance, of either of its forms.

    The lines of its timestamp tools, ``UTT token start_s end_s;token start_s end_s;``; or what its models
    return, as JSON, in one list or an object a line: ``{"key": UTT, "text": "token token",
    "timestamp": [[start_ms, end_ms], ...]}``. Word pieces (``hel@@ lo``) are joined.

    Raises:
        ValueError: naming the line of what is neither, or whose times are not as many as its tokens.
    """
    text = _text(path)
    if text.lstrip()[:1] in ("[", "{"):
        rows = [_model_row(path, number, row) for number, row in _json_rows(path, text)]
    else:
        rows = [_tool_row(path, number, line) for number, line in _lines(path)]
    words: dict[str, list[Word]] = {}
    for number, name, tokens in rows:
        if name in words:
            raise ValueError(f"{path}:{number}: {name} is there twice; keep one of the two")
        words[name] = [word for token in _joined(tokens) for word in _spoken(*token)]
    return words


def within(words: list[Word], start: float, end: float) -> list[Word]:
    """The words of a recording whose middle lies in a segment, times from its start; end -1 is the last."""
    end = math.inf if end == -1 else end
    inside = [word for word in words if start <= (word[0] + word[1]) / 2 < end]
    cut = ((max(s, start) - start, min(e, end) - start, word) for s, e, word in inside)
    return [(round(s, 3), round(e, 3), word) for s, e, word in cut]


def unknown_word(words: list[Word]) -> str | None:
    """The first word that stands for one not in the aligner's dictionary."""
    return next((word for _, _, word in words if word.lower() in UNKNOWN), None)


def chinese_word(words: list[Word]) -> str | None:
    """The first word in Chinese characters, which are of a language written without blanks."""
    return next((word for _, _, word in words if _HAN.search(word)), None)


def _without_overlap(words: list[Word]) -> list[Word]:
    """Words in time order, ended where the next one begins if they reach into it by no more than ROUNDED."""
    next_starts = [*(start for start, _, _ in words[1:]), math.inf]
    return [
        (start, following if following < end <= following + ROUNDED else end, word)
        for (start, end, word), following in zip(words, next_starts, strict=True)
    ]


def _model_row(path: Path, number: int, row: object) -> tuple[int, str, list[Word]]:
    try:
        name, tokens, times = str(row["key"]), row["text"].split(), row["timestamp"]
        seconds = [_times(start / 1000, end / 1000) for start, end in times]
    except (KeyError, TypeError, ValueError, AttributeError):
        form = '{"key", "text", "timestamp": [[start_ms, end_ms], ...]}'
        raise ValueError(f"{path}:{number}: {str(row)[:60]}; write {form}") from None
    if len(tokens) != len(seconds):
        mend = "write tokens with blanks between, without punctuation"
        raise ValueError(f"{path}:{number}: {name} has {len(tokens)} tokens, {len(seconds)} times; {mend}")
    return number, name, [(*times, token) for times, token in zip(seconds, tokens, strict=True)]


def _tool_row(path: Path, number: int, line: str) -> tuple[int, str, list[Word]]:
    name, _, body = line.partition(" ")
    tokens = []
    for item in filter(str.strip, body.split(";")):
        try:
            token, start, end = fields(item)
            tokens.append((*_times(start, end), token))
        except ValueError:
            form = "UTT token start_s end_s;token start_s end_s;"
            raise ValueError(f"{path}:{number}: {item!r} of {name}; write {form}") from None
    return number, name, tokens


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, object]]:
    """(line number, row); of one list, the row's number in it."""
    try:
        if text.lstrip().startswith("["):
            yield from enumerate(json.loads(text), 1)
            return
        for number, line in _lines(path):
            yield number, json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}); write one list, or an object a line") from None


def _joined(tokens: list[Word]) -> Iterator[Word]:
    """Word pieces put together: a piece that goes on ends in @@."""
    first, head = None, ""
    for start, end, token in tokens:
        first = start if first is None else first
        if token.endswith("@@"):
            head += token[:-2]
        else:
            yield first, end, head + token
            first, head = None, ""
    if head:
        yield first, end, head


def _times(*values: object) -> tuple[float, ...]:
    numbers = tuple(map(float, values))
    if not all(math.isfinite(value) and value >= 0 for value in numbers):
        raise ValueError(f"times {numbers}")
    return numbers


def _spoken(start: float, end: float, word: str) -> list[Word]:
    """The word as a list, empty where it is silence."""
    word = " ".join(word.split())
    return [] if word.lower() in SILENCES else [(round(start, 3), round(end, 3), word)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        mend = f"convert the file: iconv -f gb18030 -t utf-8 {path}"
        raise ValueError(f"{path}: not UTF-8 ({error}); {mend}") from None
