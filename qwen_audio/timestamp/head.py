"""What every timestamp head answers: the words of a clip with their times."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.grammar import Grammar
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.search import Hypothesis
from qwen_audio.registry import nearest
from qwen_audio.task_spec import TaskSpec, load_tasks
from qwen_audio.words import HeardWord

WINDOW = 30 * SAMPLE_RATE  # samples over which the length of a frame is measured; encoders pad to no more


def samples_per_frame(num_frames: Callable[[int], int]) -> float:
    """Samples from one frame to the next, whatever a clip is padded with or loses at its edges.

    Args:
        num_frames: how many frames a clip of so many samples has.
    """
    return WINDOW / (num_frames(2 * WINDOW) - num_frames(WINDOW))


class TimestampHead:
    """Base of the timestamp_head slot; a constructor takes only its options (``timestamp_head_conf``).

    One with weights is a torch.nn.Module too, and its constructor is also given ``input_size`` and ``tokenizer``.

    Attributes:
        unfinished: answers so far that max_new_tokens or a loop cut: words may be missing.
        cut: places of those of the last ``words_of``.
    """

    unfinished = 0
    cut: Sequence[int] = ()

    def words(self, loaded, audio: np.ndarray, language: str = "en") -> list[HeardWord]:
        """Words spoken, in their order; times are seconds from the beginning of the clip.

        Args:
            loaded: the model, a LoadedModel.
            audio: (N,) float32 in ±1 at 16 kHz.
            language: code of the language spoken.
        """
        raise NotImplementedError

    def words_of(self, loaded, audios: list[np.ndarray], languages: list[str]) -> list[list[HeardWord]]:
        """The words of several clips; a head that can take them at once does."""
        found, cut = [], []
        for place, (audio, language) in enumerate(zip(audios, languages, strict=True)):
            before = self.unfinished
            found.append(self.words(loaded, audio, language))
            cut += [place] * (self.unfinished > before)
        self.cut = cut
        return found

    def align(
        self, loaded, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> list[list[HeardWord]]:
        """Times of the words of given transcripts.

        Raises:
            ValueError: if the head cannot time words that it did not write itself.
        """
        raise ValueError(
            f"timestamp_head {type(self).__name__.lower()} writes words and times at once; to time the words of a"
            " given text, choose ctc or attention"
        )


class Hearing(TimestampHead):
    """Base of heads that answer from a batch of clips as the decoder has heard them, which they may share.

    Attributes:
        search: how the decoder writes; None leaves it to the model's own.

    Args:
        task: the task whose prompt is asked; None takes the first that fits.
    """

    search: InferenceConfig | None = None

    def __init__(self, task: str | None):
        super().__init__()
        self.task = task

    def words(self, loaded, audio: np.ndarray, language: str = "en") -> list[HeardWord]:
        """See TimestampHead. Raises: ValueError if the model was not trained on the head's task."""
        return self.words_of(loaded, [audio], [language])[0]

    def words_of(self, loaded, audios: list[np.ndarray], languages: list[str]) -> list[list[HeardWord]]:
        """See TimestampHead; the clips are heard as one batch."""
        return self.words_in(self.hear(loaded, audios, languages), languages)

    def words_in(self, clips: Clips, languages: list[str]) -> list[list[HeardWord]]:
        """The words of clips that were heard, by this head or another of the model."""
        raise NotImplementedError

    def spec(self, trained: list[str]) -> TaskSpec:
        """The task whose prompt is asked, of those that the model was trained on.

        Raises:
            ValueError: if none of them is.
        """
        raise NotImplementedError

    def hear(self, loaded, audios: list[np.ndarray], languages: list[str]) -> Clips:
        """The clips, encoded and read by the decoder up to where a task is asked."""
        waves = [torch.from_numpy(np.asarray(audio, dtype=np.float32)) for audio in audios]
        return Clips(loaded, waves, [len(wave) for wave in waves], self.prompts(loaded, languages))

    def prompts(self, loaded, languages: list[str]) -> list[list[int]]:
        """The prompt of the head's task in each language. Raises: ValueError as ``spec``."""
        spec = self.spec(loaded.tasks)
        rows = [{"audio_lang": language, "text_lang": language} for language in languages]
        return [loaded.tokenizer.encode_pieces(spec.prompt_pieces(row)) for row in rows]

    def write(
        self, clips: Clips, which: list[int], languages: list[str], grammar: Grammar
    ) -> list[Hypothesis]:
        """What the decoder writes of clips, asked the head's task.

        Args:
            which: the clip of each language.
        """
        spec = self.spec(clips.loaded.tasks)
        options = (self.search or clips.loaded.search).search_options(spec)
        answers = clips.answer(which, self.prompts(clips.loaded, languages), grammar, options)
        self.cut = [clip for clip, answer in zip(which, answers) if not answer.ended]
        self.unfinished += len(self.cut)
        return answers


class Aligner(Hearing):
    """Base of heads that find the times of words already known: transcribed first, or given.

    Args:
        task: the task that transcribes.
    """

    def __init__(self, task: str = "asr"):
        super().__init__(task)

    def times(self, clips: Clips, texts: list[str], languages: list[str]) -> list[list[HeardWord]]:
        """Times of the words (qwen_audio/words.py: split_words) of a text a clip; none of an empty text."""
        raise NotImplementedError

    def words_in(self, clips: Clips, languages: list[str]) -> list[list[HeardWord]]:
        """See Hearing; transcribes and aligns."""
        texts = self.transcribe(clips, list(range(len(languages))), languages)
        return self.times(clips, texts, languages)

    def align(
        self, loaded, audios: list[np.ndarray], texts: list[str], languages: list[str]
    ) -> list[list[HeardWord]]:
        """See TimestampHead."""
        return self.times(self.hear(loaded, audios, languages), texts, languages)

    def transcribe(self, clips: Clips, which: list[int], languages: list[str]) -> list[str]:
        """The model's own text of clips; ``which`` is the clip of each language."""
        tokenizer = clips.loaded.tokenizer
        answers = self.write(clips, which, languages, grammar_of(self.spec(clips.loaded.tasks), tokenizer))
        return [tokenizer.decode(answer.tokens).strip() for answer in answers]

    def spec(self, trained: list[str]) -> TaskSpec:
        """See Hearing."""
        if self.task not in trained:
            raise ValueError(
                f"timestamp_head_conf.task: the model was not trained on {self.task!r}"
                f"{nearest(self.task, trained)}"
            )
        return load_tasks()[self.task]
