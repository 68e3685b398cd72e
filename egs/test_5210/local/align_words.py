"""Times of words: forced alignment of a known English text with pocketsphinx's own en-us model.

The text is what was said, so only the times are estimated: rows made from them are "constructed".
"""

import hashlib
import json
import multiprocessing
import re
import sys
from pathlib import Path

import soundfile
from pocketsphinx import Decoder

FRAMES_PER_SECOND = 100
LAST_TOKEN = 30.0  # seconds: there is no time token after it
DIGITS = dict(zip("0123456789", "zero one two three four five six seven eight nine".split(), strict=True))
SILENT = re.compile(r"[.…,–—-]+")
CACHE_VERSION = 2

_decoder: Decoder | None = None


def align_all(
    clips: dict[str, tuple[Path, str]], cache: Path, processes: int = 2
) -> tuple[dict[str, list[list]], dict[str, str]]:
    """Align every clip; a clip and text that were aligned before are read from ``cache``.

    Args:
        clips: name -> (16 kHz mono recording, text).
        cache: JSON lines, keyed by the content of recording and text.

    Returns:
        name -> [[start_s, end_s, word], ...] whose words are the tokens of the text, and name -> why not.
    """
    keys = {name: _key(wav, text) for name, (wav, text) in clips.items()}
    known = {}
    if cache.exists():
        known = {row["key"]: row for row in map(json.loads, cache.read_text(encoding="utf-8").splitlines())}
    todo = {keys[name]: clip for name, clip in clips.items() if keys[name] not in known}
    if todo:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with (
            multiprocessing.get_context("spawn").Pool(processes) as pool,
            cache.open("a", encoding="utf-8") as file,
        ):
            for n, row in enumerate(pool.imap_unordered(_align_row, todo.items()), 1):
                known[row["key"]] = row
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                if n % 50 == 0 or n == len(todo):
                    print(f"aligned {n} of {len(todo)} clips", file=sys.stderr)
    words = {name: known[key]["words"] for name, key in keys.items() if "words" in known[key]}
    return words, {name: known[key]["reason"] for name, key in keys.items() if "reason" in known[key]}


def align(wav: Path, text: str) -> list[list]:
    """[[start_s, end_s, token], ...] for the tokens of ``text``, rounded to 0.01 s.

    Times never fall and never pass the end of the clip. A token is looked up without its punctuation, in
    lower case, hyphens as blanks; a single digit by its name.

    Raises:
        ValueError: if a token is not in the dictionary, the aligner finds no path, or the clip passes 30 s.
    """
    samples, rate = soundfile.read(wav, dtype="int16")
    if samples.ndim != 1 or rate != 16000:
        raise ValueError(f"audio is not 16 kHz mono: {wav}")
    seconds = len(samples) / rate
    if seconds > LAST_TOKEN:
        raise ValueError("longer than 30 s, where the time tokens end")
    decoder = _load()
    tokens = join_silent(text.split())
    spoken = [spoken_words(token) for token in tokens]
    for token, parts in zip(tokens, spoken, strict=True):
        if not parts or any(decoder.lookup_word(part) is None for part in parts):
            raise ValueError(f"not in the dictionary: {token}")
    try:
        decoder.set_align_text(" ".join(part for parts in spoken for part in parts))
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
    except RuntimeError:
        raise ValueError("the aligner failed") from None
    segments = [s for s in decoder.seg() or () if not s.word.startswith(("<", "[", "+"))]
    found = [re.sub(r"\(\d+\)$", "", s.word) for s in segments]
    if found != [part for parts in spoken for part in parts]:
        raise ValueError("the aligner found no path through the text")
    words, end = [], 0.0
    for token, parts in zip(tokens, spoken, strict=True):
        mine, segments = segments[: len(parts)], segments[len(parts) :]
        start = max(end, mine[0].start_frame / FRAMES_PER_SECOND)
        end = max(start, min((mine[-1].end_frame + 1) / FRAMES_PER_SECOND, int(seconds * 100) / 100))
        words.append([round(start, 2), round(end, 2), token])
    return words


def join_silent(tokens: list[str]) -> list[str]:
    """Marks that stand alone and are not spoken join the token before or after: line ... -> line..."""
    joined: list[str] = []
    for token in tokens:
        if joined and (SILENT.fullmatch(token) or SILENT.fullmatch(joined[-1])):
            joined[-1] += token
        else:
            joined.append(token)
    return joined


def spoken_words(token: str) -> list[str]:
    """``Re-enter,`` -> re, enter; ``1.`` -> one; a token without a letter or digit -> nothing."""
    parts = [part.strip("'") for part in re.findall(r"[a-z0-9']+", token.lower().replace("’", "'"))]
    return [DIGITS.get(part, part) for part in parts if part]


def _load() -> Decoder:
    global _decoder
    if _decoder is None:
        _decoder = Decoder(lm=None, loglevel="FATAL")
    return _decoder


def _align_row(item: tuple[str, tuple[Path, str]]) -> dict:
    key, (wav, text) = item
    try:
        return {"key": key, "words": align(wav, text)}
    except ValueError as error:
        return {"key": key, "reason": str(error)}


def _key(wav: Path, text: str) -> str:
    return hashlib.sha1(wav.read_bytes() + f"\0{text}\0{CACHE_VERSION}".encode()).hexdigest()
