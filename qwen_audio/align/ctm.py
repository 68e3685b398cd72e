"""Aligner: words with times from a CTM."""

from pathlib import Path

from qwen_audio.align.word_file import WordFile
from qwen_audio.data.word_files import read_ctm


class Ctm(WordFile):
    """Args: files: a CTM whose ids are those of utterances or recordings. Raises: ValueError as read_ctm."""

    def __init__(self, files: str):
        super().__init__(read_ctm(Path(files)))
