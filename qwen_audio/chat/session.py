"""Talking to a model: a session of turns."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from qwen_audio.audio import SAMPLE_RATE, as_wave
from qwen_audio.chat.model import ChatModel, wave_of
from qwen_audio.chat.prompt import Prompt, make_prompt
from qwen_audio.data import dialogue as files
from qwen_audio.data.dialogue import (
    ASSISTANT,
    SOURCES,
    USER,
    Audio,
    Dialogue,
    Message,
    Part,
    Text,
    check_text,
)
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.long_audio import recording_head, unfinished_note, windows, words_of_recording
from qwen_audio.infer.prefix import Prefix
from qwen_audio.infer.search import search_stream
from qwen_audio.registry import nearest
from qwen_audio.tags import LANGUAGES
from qwen_audio.words import HeardWord

Sound = str | Path | tuple[np.ndarray, int]  # a file, or samples (N,) or (N, channels) and their rate in Hz


@dataclass(frozen=True)
class Written:
    """How an answer came about.

    Attributes:
        positions: of the decoder that the prompt took, audio included.
        tokens: of the answer.
        ended: whether the model ended it, and not max_new_tokens or a loop.
    """

    positions: int
    tokens: int
    ended: bool


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)


class ChatSession:
    """A dialogue with a model, turn by turn; what was read stays in the decoder's cache.

    Args:
        notify: called with what the user should know: that turns were dropped, that an answer was cut …; by
            default a Python warning.
        options: those of SearchOptions besides ctc_weight; by default the search is greedy.

    Attributes:
        messages: all that was said; an answer that was not heard to its end is not among it.
        last: how the last answer came about.

    Raises:
        ValueError: if an option is unknown, or the model cannot chat.
    """

    def __init__(self, loaded: LoadedModel, notify: Callable[[str], None] = _warn, **options):
        self.loaded, self.notify, self._model = loaded, notify, ChatModel(loaded, options)
        self.reset()
        self.tell_again()

    def reset(self) -> None:
        """Forget what was said."""
        self.messages: list[Message] = []
        self.last: Written | None = None
        self._frames: list[Tensor] = []  # (T_i, E) of every audio
        self._dropped = 0
        self._forget_read()

    def tell_again(self) -> None:
        """Take what the user was told for untold: with the next answer comes all that holds for it."""
        # a model tuned for chat needs no word
        self._introduced = any(task in SOURCES for task in self.loaded.tasks)
        self._dropped = 0

    def limit(self, max_new_tokens: int) -> None:
        """Cut the next answers after so many tokens. Raises: ValueError if the model's context is no longer."""
        self._model.limit(max_new_tokens)

    def ask(
        self,
        text: str = "",
        audio: Sound | np.ndarray | list[Sound | np.ndarray] | None = None,
        stream: bool = False,
        rate: int | None = None,
    ) -> str | Iterator[str]:
        """The answer to a question, asked with text, audio or both.

        Args:
            audio: heard before the text; several in a list.
            stream: give the answer in pieces while it is written. No piece ends within a character. With a beam
                the answer is one piece.
            rate: in Hz, of arrays that come without theirs.

        Raises:
            ValueError: if nothing is asked, audio cannot be read, or the question is too long; the session stays
                as it was.
        """
        sounds = audio if isinstance(audio, list) else [audio] if audio is not None else []
        parts: list[Part] = [Audio(_place(sound, rate)) for sound in sounds]
        if text or not parts:
            check_text(text, "the question")
            parts.append(Text(text))
        pieces = self.reply(Message(USER, tuple(parts)))
        return pieces if stream else "".join(pieces)

    def reply(self, question: Message) -> Iterator[str]:
        """The answer to a message of the user, in pieces while it is written.

        Its audio is heard at once; Raises: ValueError as ``ask``.
        """
        return self._answer(question, self._hear(question.audios))

    def words(self, language: str = "en", audio: Sound | None = None) -> list[HeardWord]:
        """Words spoken, by the model's timestamp head: (word, start and end in seconds, confidence).

        Args:
            audio: by default the last one of the dialogue.

        Raises:
            ValueError: if there is no audio, it cannot be read, the language has no token, or the model has no
                timestamp head.
        """
        if language not in LANGUAGES:
            raise ValueError(f"unknown language {language!r}{nearest(language, LANGUAGES)}")
        audios = [audio for message in self.messages for audio in message.audios]
        if audio is None and not audios:
            raise ValueError("no audio was heard yet; give one")
        wave = wave_of(audios[-1] if audio is None else _place(audio))
        head = recording_head(self.loaded)
        found = list(words_of_recording(self.loaded, head, windows([wave]), language))
        if head.unfinished:
            self.notify(unfinished_note(head.unfinished))
        return found

    def save(self, path: str | Path) -> None:
        """Write the dialogue as one line of the layout of qwen_audio/data/dialogue.py.

        Audio that came as an array is written beside it: ``PATH.audio1.wav`` …
        """
        if not self.messages:
            raise ValueError("nothing was said yet; there is nothing to save")
        messages, number = [], 0
        for message in self.messages:
            parts = []
            for part in message.parts:
                number += isinstance(part, Audio)
                if isinstance(part, Audio) and not isinstance(part.audio, str):
                    place = f"{path}.audio{number}.wav"
                    soundfile.write(place, part.audio, SAMPLE_RATE, subtype="FLOAT")
                    part = Audio(place)
                parts.append(part)
            messages.append(Message(message.role, tuple(parts)))
        files.write_dialogues(path, [Dialogue(Path(path).stem, tuple(messages))])

    def load(self, path: str | Path) -> None:
        """Go on with a saved dialogue.

        Raises:
            ValueError: if the file holds more than one, or as of ``resume``; the session stays as it was.
        """
        dialogues = list(files.read_dialogues(path))
        if len(dialogues) != 1:
            raise ValueError(f"{path} holds {len(dialogues)} dialogues; a session is one")
        try:
            self.resume(dialogues[0].messages)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def resume(self, messages: Sequence[Message]) -> None:
        """Go on with what was said elsewhere, in the order that qwen_audio/data/dialogue.py checks.

        Raises:
            ValueError: if the last message is a question, or audio cannot be read; the session stays as it was.
        """
        if messages[-1].role == USER:
            raise ValueError("the dialogue ends with a question; leave it out and ask it")
        frames = self._hear([audio for message in messages for audio in message.audios])
        self.reset()
        self.messages, self._frames = list(messages), frames

    def _hear(self, audios: list) -> list[Tensor]:
        return [self._model.hear([self._model.clip(audio)])[0] for audio in audios]

    def _answer(self, question: Message, frames: list[Tensor]) -> Iterator[str]:
        model, messages, frames = self._model, [*self.messages, question], [*self._frames, *frames]
        prompt = make_prompt(messages, [len(part) for part in frames], model.tokenizer, model.room)
        self._report(prompt)
        prefix = self._read(prompt, [frames[number] for number in prompt.audios])
        positions = len(prompt.ids) + sum(len(frames[number]) - 1 for number in prompt.audios)
        given, answer = "", None
        for answer in search_stream(
            model.decoder, prefix, model.grammar, prefix.lengths, model.end, model.options
        ):
            text = model.text(answer)
            if len(text) > len(given):
                yield text[len(given) :]
                given = text
        self.last = Written(positions, len(answer.tokens), answer.ended)
        if not given:
            self.notify("the model wrote nothing; the question is not kept")
            return
        self.messages, self._frames = [*messages, Message(ASSISTANT, (Text(given),))], frames
        if not answer.ended:
            why = "it went round in circles" if answer.looped else f"max_new_tokens is {len(answer.tokens)}"
            self.notify(f"the answer was cut: {why}")

    def _report(self, prompt: Prompt) -> None:
        if not self._introduced:
            self._introduced = True
            self.notify(
                f"this model was trained on {', '.join(self.loaded.tasks)} alone (stage 1), never for chat; what it"
                " answers to a free question may make no sense. Stage 6 tunes a model for chat"
            )
        if prompt.dropped > self._dropped:
            self._dropped = prompt.dropped
            self.notify(
                "the dialogue is longer than the model's context: its first"
                f" {prompt.dropped // 2} turn(s) are no longer read"
            )

    @torch.inference_mode()
    def _read(self, prompt: Prompt, frames: list[Tensor]) -> Prefix:
        """The prompt, read; of one that begins as the last did, only the rest is."""
        if len(prompt.ids) <= len(self._ids) or prompt.ids[: len(self._ids)] != self._ids:
            self._forget_read()  # the same ids again may stand for other audio, and leave nothing to read
        prefix, known = self._prefix, len(self._ids)
        heard = self._ids.count(self._model.tokenizer.placeholder)
        self._forget_read()  # a break while reading leaves the cache half read
        inputs = self._model.inputs([prompt.ids[known:]], frames[heard:])
        self._prefix = prefix.extend(self._model.decoder, inputs.embeddings, inputs.lengths)
        self._ids = prompt.ids
        return self._prefix.select(torch.zeros_like(inputs.lengths))

    def _forget_read(self) -> None:
        self._prefix, self._ids = Prefix.empty(1, self.loaded.device), []


def _place(sound: Sound | np.ndarray, rate: int | None = None) -> str | np.ndarray:
    """A path, or (N,) samples at 16 kHz."""
    if isinstance(sound, np.ndarray):
        if rate is None:
            raise ValueError(
                "the audio is an array without its rate; write audio=(samples, 16000) or rate=16000"
            )
        sound = sound, rate
    return as_wave(*sound) if isinstance(sound, tuple) else str(sound)
