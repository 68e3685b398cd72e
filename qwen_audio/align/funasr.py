"""Aligner: words with times from a timestamp file of FunASR, or of AISHELL in that form."""

from pathlib import Path

from qwen_audio.align.word_file import WordFile
from qwen_audio.data.word_files import read_funasr


class Funasr(WordFile):
    """Args: files: a file in either of FunASR's forms. Raises: ValueError as read_funasr."""

    def __init__(self, files: str):
        super().__init__(read_funasr(Path(files)))
