"""What every aligner answers, and the aligners by name."""

import importlib
import inspect
from collections.abc import Iterable, Iterator

import numpy as np

from qwen_audio.align.transcripts import Transcript
from qwen_audio.registry import nearest
from qwen_audio.words import Word

ALIGNERS = {
    "pocketsphinx": "pocketsphinx:Pocketsphinx",
    "model": "model:Model",
    "textgrid": "textgrid:Textgrid",
    "ctm": "ctm:Ctm",
    "funasr": "funasr:Funasr",
}

Answer = tuple[Transcript, list[Word], str]  # its words with times, or none and the reason


class WordAligner:
    """Base of the aligners: finds the times of words that are known."""

    def align(self, audio: np.ndarray, text: str, language: str) -> list[Word]:
        """The words of ``text`` (qwen_audio/words.py: split_words), times in seconds from the beginning.

        Args:
            audio: (N,) float32 in ±1 at 16 kHz.

        Raises:
            ValueError: the reason, where it cannot.
        """
        raise NotImplementedError

    def align_one(self, transcript: Transcript) -> Answer:
        """The words of one transcript, or the reason why it has none."""
        try:
            if transcript.text is None:
                raise ValueError("no transcript")
            return transcript, self.align(transcript.wave(), transcript.text, transcript.language), ""
        except ValueError as error:
            return transcript, [], str(error)

    def align_all(self, transcripts: Iterable[Transcript]) -> Iterator[Answer]:
        """An answer to each, in their order."""
        return map(self.align_one, transcripts)

    def unused(self) -> list[str]:
        """Ids of words that were given and that no transcript asked for."""
        return []


def build_aligner(name: str, options: dict) -> WordAligner:
    """The aligner of that name.

    Args:
        options: of its constructor; those that are None were not given.

    Raises:
        ValueError: naming what is unknown, missing, or not this aligner's.
    """
    if name not in ALIGNERS:
        raise ValueError(f"--aligner: unknown aligner {name!r}{nearest(name, ALIGNERS)}")
    module, _, cls = ALIGNERS[name].partition(":")
    cls = getattr(importlib.import_module(f"qwen_audio.align.{module}"), cls)
    taken = inspect.signature(cls).parameters
    given = {key: value for key, value in options.items() if value is not None}
    for key in given.keys() - taken.keys():
        raise ValueError(f"--{key}: {name} has no such option (it has: {', '.join(taken)})")
    for key, parameter in taken.items():
        if parameter.default is parameter.empty and key not in given:
            raise ValueError(f"--aligner {name} needs --{key}")
    return cls(**given)
