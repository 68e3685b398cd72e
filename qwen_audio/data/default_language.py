"""What is said of a data directory that names no language: its text is taken as English, likely or not."""

import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

from qwen_audio.data.kaldi_dir import DEFAULT_LANGUAGE, read_table
from qwen_audio.tags import LANGUAGES

LINES = 1000  # of text, whose letters are counted
_NAMES = {"CJK": "Chinese characters"}


def default_language_note(directory: Path) -> str:
    """A line that says so; a warning where most letters of the text are not Latin. Empty if there is an utt2lang.

    Raises:
        ValueError: naming file:line, as read_table.
    """
    text = directory / "text"
    if (directory / "utt2lang").is_file() or not text.is_file():
        return ""
    language = f"{LANGUAGES[DEFAULT_LANGUAGE]} ({DEFAULT_LANGUAGE})"
    note = f"{directory} has no utt2lang: its text is taken as {language}"
    letters = Counter("".join(line for _, (_, line) in islice(read_table(text), LINES)))
    scripts = Counter()
    for letter, count in letters.items():
        if letter.isalpha():
            scripts[unicodedata.name(letter, "?").split()[0]] += count
    latin = scripts.pop("LATIN", 0)
    if latin >= scripts.total():
        return note
    script = max(scripts, key=scripts.get)
    named = _NAMES.get(script, f"{script.capitalize()} letters")
    mend = f"awk '{{print $1, \"CODE\"}}' {text} > {directory}/utt2lang"
    return f"warning: {note}, but is mostly in {named}; `qwen-audio tags` lists codes: {mend}"
