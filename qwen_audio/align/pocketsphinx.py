"""Aligner: pocketsphinx with the English model that it ships; words outside its dictionary are refused."""

import functools
import multiprocessing
import re
from collections.abc import Iterable, Iterator

import numpy as np
from pocketsphinx import Decoder

from qwen_audio.align.aligner import Answer, WordAligner
from qwen_audio.align.match import join_marks
from qwen_audio.align.transcripts import Transcript
from qwen_audio.audio import SAMPLE_RATE, to_int16
from qwen_audio.words import Word

FRAMES_PER_SECOND = 100
DIGITS = dict(zip("0123456789", "zero one two three four five six seven eight nine".split(), strict=True))


class Pocketsphinx(WordAligner):
    """Forced alignment of an English text by pocketsphinx's en-us model.

    Args:
        nj: processes.
    """

    def __init__(self, nj: int = 1):
        self.nj = nj

    def align(self, audio: np.ndarray, text: str, language: str) -> list[Word]:
        """See WordAligner; marks that stand alone join a word. Times are rounded to 0.01 s.

        Times never fall and never pass the end of the clip. A word is looked up without its punctuation, in
        lower case, hyphens as blanks; a single digit by its name.
        """
        if language != "en":
            raise ValueError(f"not in English, all that pocketsphinx ships a model of: {language}")
        decoder = _decoder()
        tokens = join_marks(text.split())
        spoken = [spoken_words(token) for token in tokens]
        for token, parts in zip(tokens, spoken, strict=True):
            if not parts or any(decoder.lookup_word(part) is None for part in parts):
                raise ValueError(f"not in the dictionary: {token}")
        decoder.reinit_feat()  # else what it heard before moves times: in 8 of 25 clips, by up to 0.17 s
        try:
            decoder.set_align_text(" ".join(part for parts in spoken for part in parts))
            decoder.start_utt()
            decoder.process_raw(to_int16(audio).tobytes(), full_utt=True)
            decoder.end_utt()
        except RuntimeError:
            raise ValueError("the aligner failed") from None
        segments = [s for s in decoder.seg() or () if not s.word.startswith(("<", "[", "+"))]
        found = [re.sub(r"\(\d+\)$", "", s.word) for s in segments]
        if found != [part for parts in spoken for part in parts]:
            raise ValueError("the aligner found no path through the text")
        words, end, last = [], 0.0, int(len(audio) / SAMPLE_RATE * 100) / 100
        for token, parts in zip(tokens, spoken, strict=True):
            mine, segments = segments[: len(parts)], segments[len(parts) :]
            start = max(end, mine[0].start_frame / FRAMES_PER_SECOND)
            end = max(start, min((mine[-1].end_frame + 1) / FRAMES_PER_SECOND, last))
            words.append((round(start, 2), round(end, 2), token))
        return words

    def align_all(self, transcripts: Iterable[Transcript]) -> Iterator[Answer]:
        """See WordAligner; shared among ``nj`` processes."""
        if self.nj == 1:
            yield from map(self.align_one, transcripts)
            return
        with multiprocessing.get_context("spawn").Pool(self.nj) as pool:
            yield from pool.imap(self.align_one, transcripts)


def spoken_words(token: str) -> list[str]:
    """``Re-enter,`` -> re, enter; ``1.`` -> one; a token without a letter or digit -> nothing."""
    parts = [part.strip("'") for part in re.findall(r"[a-z0-9']+", token.lower().replace("’", "'"))]
    return [DIGITS.get(part, part) for part in parts if part]


@functools.cache
def _decoder() -> Decoder:
    return Decoder(lm=None, loglevel="FATAL")
