"""What every timestamp head answers: the words of a clip with their times."""

import numpy as np
import torch

from qwen_audio.infer.clips import Clips
from qwen_audio.infer.grammar import grammar_of
from qwen_audio.infer.search import SearchOptions
from qwen_audio.registry import nearest
from qwen_audio.task_spec import load_tasks

Word = tuple[str, float, float, float]  # text, start and end in seconds, confidence from 0 to 1


class TimestampHead:
    """Base of the timestamp_head slot; a constructor takes only its options (``timestamp_head_conf``)."""

    def words(self, loaded, audio: np.ndarray, language: str = "en") -> list[Word]:
        """Words spoken, in their order; times are seconds from the beginning of the clip.

        Args:
            loaded: the model, a LoadedModel.
            audio: (N,) float32 in ±1 at 16 kHz.
            language: code of the language spoken.
        """
        raise NotImplementedError

    def words_of(self, loaded, audios: list[np.ndarray], languages: list[str]) -> list[list[Word]]:
        """The words of several clips; a head that can take them at once does."""
        return [
            self.words(loaded, audio, language) for audio, language in zip(audios, languages, strict=True)
        ]

    def align(
        self, loaded, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> list[list[Word]]:
        """Times of the words of given transcripts.

        Raises:
            ValueError: if the head cannot time words that it did not write itself.
        """
        raise ValueError(
            f"timestamp_head {type(self).__name__.lower()} writes words and times at once; to time the words of a"
            " given text, choose ctc or attention"
        )


class Aligner(TimestampHead):
    """Base of heads that find the times of words already known: transcribed first, or given.

    Args:
        task: the task that transcribes.
        beam_size, ctc_weight: how it is searched, see SearchOptions.
    """

    def __init__(self, task: str = "asr", beam_size: int = 1, ctc_weight: float = 0.0):
        super().__init__()
        self.task, self.beam_size, self.ctc_weight = task, beam_size, ctc_weight

    def times(self, clips: Clips, texts: list[str], languages: list[str]) -> list[list[Word]]:
        """Times of the words (qwen_audio/words.py: split_words) of a text a clip; none of an empty text."""
        raise NotImplementedError

    def words(self, loaded, audio: np.ndarray, language: str = "en") -> list[Word]:
        """See TimestampHead. Raises: ValueError if the model was not trained to transcribe."""
        return self.words_of(loaded, [audio], [language])[0]

    def words_of(self, loaded, audios: list[np.ndarray], languages: list[str]) -> list[list[Word]]:
        """See TimestampHead; transcribes and aligns the clips as one batch, encoded once."""
        clips, prompts = self._clips(loaded, audios, languages)
        return self.times(clips, self._transcribe(clips, prompts), languages)

    def align(
        self, loaded, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> list[list[Word]]:
        """See TimestampHead."""
        return self.times(self._clips(loaded, audios, languages)[0], texts, languages)

    def both(
        self, loaded, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> tuple[list[list[Word]], list[list[Word]]]:
        """What ``words_of`` and ``align`` give for the same clips, encoded once."""
        clips, prompts = self._clips(loaded, audios, languages)
        written = self._transcribe(clips, prompts)
        return self.times(clips, written, languages), self.times(clips, texts, languages)

    def prompts(self, loaded, languages: list[str]) -> list[list[int]]:
        """The transcribing task's prompt in each language.

        Raises:
            ValueError: if the model was not trained on that task.
        """
        if self.task not in loaded.tasks:
            raise ValueError(
                f"timestamp_head_conf.task: the model was not trained on {self.task!r}"
                f"{nearest(self.task, loaded.tasks)}"
            )
        spec = load_tasks()[self.task]
        rows = [{"audio_lang": language, "text_lang": language} for language in languages]
        return [loaded.tokenizer.encode_pieces(spec.prompt_pieces(row)) for row in rows]

    def _transcribe(self, clips: Clips, prompts: list[list[int]]) -> list[str]:
        spec, tokenizer = load_tasks()[self.task], clips.loaded.tokenizer
        options = SearchOptions(self.beam_size, self.ctc_weight, max_new_tokens=spec.max_new_tokens)
        answers = clips.answer(list(range(len(prompts))), prompts, grammar_of(spec, tokenizer), options)
        return [tokenizer.decode(answer.tokens).strip() for answer in answers]

    def _clips(self, loaded, audios, languages) -> tuple[Clips, list[list[int]]]:
        prompts = self.prompts(loaded, languages)
        waves = [torch.from_numpy(np.asarray(audio, dtype=np.float32)) for audio in audios]
        return Clips(loaded, waves, [len(wave) for wave in waves], prompts), prompts
