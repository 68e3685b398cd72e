"""Times of words of English clips, found once: the alignments of pocketsphinx are kept by content.

The text is what was said, so only the times are estimated: rows made from them are "constructed".
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from qwen_audio.align.pocketsphinx import Pocketsphinx
from qwen_audio.align.transcripts import Transcript
from qwen_audio.progress import progress

CACHE_VERSION = 3  # of what the aligner gives for a recording and its text


def align_all(
    clips: dict[str, tuple[Path, str]], cache: Path, processes: int = 2
) -> tuple[dict[str, list[list]], dict[str, str]]:
    """Align every clip; a clip and text that were aligned before are read from ``cache``.

    Args:
        clips: name -> (recording, text).
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
        with cache.open("a", encoding="utf-8") as file:
            for row in progress(_align(todo, processes), len(todo), "align words"):
                known[row["key"]] = row
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    words = {name: known[key]["words"] for name, key in keys.items() if "words" in known[key]}
    return words, {name: known[key]["reason"] for name, key in keys.items() if "reason" in known[key]}


def _align(clips: dict[str, tuple[Path, str]], processes: int) -> Iterator[dict]:
    """A row of the cache for each clip."""
    transcripts = [
        Transcript(key, key, str(wav), None, None, text, "en") for key, (wav, text) in clips.items()
    ]
    for transcript, words, reason in Pocketsphinx(processes).align_all(transcripts):
        found = {"reason": reason} if reason else {"words": [list(word) for word in words]}
        yield {"key": transcript.utt} | found


def _key(wav: Path, text: str) -> str:
    return hashlib.sha1(wav.read_bytes() + f"\0{text}\0{CACHE_VERSION}".encode()).hexdigest()
