"""Aligner: a trained model, by its timestamp head ctc or attention."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import torch

from qwen_audio.align.aligner import Answer, WordAligner
from qwen_audio.align.match import match_words
from qwen_audio.align.transcripts import Transcript
from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.packing import padded_batches
from qwen_audio.infer.arguments import check_device
from qwen_audio.infer.transcribe import load_speech_model
from qwen_audio.timestamp import head as heads
from qwen_audio.timestamp.attention import Attended, Attention
from qwen_audio.words import HeardWord, Word

BATCH_SECONDS = 120.0  # of a batch, its clips padded to the longest


class Model(WordAligner):
    """Times of words by a model's timestamp head.

    Args:
        model: folder of a trained run, or of a pretrained Whisper.
        head: timestamp head; by default the one of the model's configuration.
        nj: CPU threads; by default as many as torch takes.
        device, dtype: see load_model (qwen_audio/infer/load.py).

    Raises:
        ValueError: if the head cannot time words that it did not write itself, or as check_device and
            load_speech_model.
    """

    def __init__(
        self,
        model: str,
        head: str | None = None,
        nj: int | None = None,
        device: str = "cpu",
        dtype: str = "float32",
    ):
        check_device(device)
        if nj:
            torch.set_num_threads(nj)
        self.loaded = load_speech_model(model, device, dtype)
        self.head = self.loaded.timestamp_head(head)
        if type(self.head).align is heads.TimestampHead.align:
            self.head.align(self.loaded, [], [], [])  # says why not

    def align(self, audio: np.ndarray, text: str, language: str) -> list[Word]:
        """See WordAligner; marks that stand alone join a word."""
        return self._words(audio, text, language, self._times([audio], [text], [language])[0])

    def align_all(self, transcripts: Iterable[Transcript]) -> Iterator[Answer]:
        """See WordAligner; clips are aligned in batches."""
        for heard, clips in groupby(map(_hear, transcripts), lambda clip: clip[1] is not None):
            if not heard:
                yield from ((transcript, [], reason) for transcript, _, reason in clips)
                continue
            for batch in padded_batches(clips, lambda clip: len(clip[1]), BATCH_SECONDS * SAMPLE_RATE):
                yield from self._batch([clip[0] for clip in batch], [clip[1] for clip in batch])

    def attended(self, transcript: Transcript) -> Attended | None:
        """What the head attention looked at while the words of a clip were read; None of another head."""
        if not isinstance(self.head, Attention):
            return None
        languages = [transcript.language]
        clips = self.head.hear(self.loaded, [transcript.wave()], languages)
        return self.head.listen(clips, [0], [transcript.text], languages)[0]

    def _batch(self, batch: list[Transcript], waves: list[np.ndarray]) -> Iterator[Answer]:
        """All at once; one by one where that fails, so that each failure has its own reason."""
        try:
            times = self._times(waves, [t.text for t in batch], [t.language for t in batch])
        except ValueError:
            yield from map(self.align_one, batch)
            return
        for transcript, wave, found in zip(batch, waves, times, strict=True):
            try:
                yield transcript, self._words(wave, transcript.text, transcript.language, found), ""
            except ValueError as error:
                yield transcript, [], str(error)

    def _times(
        self, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> list[list[HeardWord]]:
        return self.head.align(self.loaded, audios, texts, languages)

    def _words(self, audio: np.ndarray, text: str, language: str, found: list[HeardWord]) -> list[Word]:
        """Times in the clip, rounded to a millisecond; a head is sure of no word where it found no path."""
        if not any(confidence for *_, confidence in found):
            raise ValueError("no path through the text: it has more in it than the clip can hold")
        last = len(audio) / SAMPLE_RATE
        times = [(round(min(s, last), 3), round(min(e, last), 3), word) for word, s, e, _ in found]
        return match_words(text, language, times)


def _hear(transcript: Transcript) -> tuple[Transcript, np.ndarray | None, str]:
    """It with its audio, or with the reason why it cannot be aligned."""
    if transcript.text is None:
        return transcript, None, "no transcript"
    try:
        return transcript, transcript.wave(), ""
    except ValueError as error:
        return transcript, None, str(error)
