"""A model as chat needs it: audio heard, prompts read, answers searched for."""

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from qwen_audio.audio import SAMPLE_RATE, AudioError
from qwen_audio.chat.chatml import END
from qwen_audio.chat.free_text import FreeText
from qwen_audio.decoder.causal import Inputs
from qwen_audio.ffmpeg import any_audio
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.search import Hypothesis, SearchOptions
from qwen_audio.registry import nearest

HALF = "\ufffd"  # what bytes that are no whole character decode to


class ChatModel:
    """A loaded model and how it answers.

    Args:
        options: those of SearchOptions besides ctc_weight.

    Attributes:
        end: id of the token that ends an answer.
        room: decoder positions that a prompt may take, so that the longest answer fits behind it.

    Raises:
        ValueError: if an option is unknown, the model cannot chat, or ``max_new_tokens`` leaves no room.
    """

    def __init__(self, loaded: LoadedModel, options: dict):
        self.loaded, self.decoder, self.tokenizer = loaded, loaded.model.decoder, loaded.tokenizer
        valid = [field.name for field in dataclasses.fields(SearchOptions) if field.name != "ctc_weight"]
        for name in options:
            if name not in valid:
                raise ValueError(f"unknown option {name}{nearest(name, valid)}")
        self.options = SearchOptions(**options)
        try:
            self.inputs([self.tokenizer.encode("a")], [])
        except ValueError as error:
            raise ValueError(f"this model cannot chat: {error}") from None
        config = self.decoder.body().config
        # BLOOM and the like have no limit
        self._context = getattr(config, "max_position_embeddings", math.inf)
        self.limit(self.options.max_new_tokens)
        self.end = self.tokenizer.token_id(END)
        self.grammar = FreeText(self.tokenizer, self.end).to(loaded.device)

    def limit(self, max_new_tokens: int) -> None:
        """From now on answers are cut after so many tokens. Raises: ValueError if it leaves no room."""
        if max_new_tokens >= self._context:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens}, the model reads {self._context} positions; lower it"
            )
        self.options = dataclasses.replace(self.options, max_new_tokens=max_new_tokens)
        self.room = self._context - max_new_tokens

    def clip(self, audio: str | np.ndarray) -> Tensor:
        """(N,) samples of a file, or of a wave that is 16 kHz already.

        Raises:
            AudioError: if it cannot be read, or is too short.
        """
        wave = wave_of(audio)
        if not len(wave) or self.loaded.model.num_frames(len(wave)) < 1:
            name = audio if isinstance(audio, str) else "the array"
            seconds = len(wave) / SAMPLE_RATE
            raise AudioError(f"too short: {name} has {seconds:.3f} s, less than one frame of the decoder")
        return torch.from_numpy(wave)

    def hear(self, clips: list[Tensor]) -> list[Tensor]:
        """Decoder embeddings (T_i, E) of clips (N_i,)."""
        if not clips:
            return []
        frames, lengths = self.loaded.encode(clips)
        return [part[:length] for part, length in zip(frames, lengths.tolist(), strict=True)]

    def inputs(self, texts: list[list[int]], frames: list[Tensor]) -> Inputs:
        """Texts and their audios, (T_i, E) each in the order of their placeholders, put together."""
        device = self.loaded.device
        rows = [torch.tensor(text, dtype=torch.long, device=device) for text in texts]
        audio = torch.zeros(0, 1, self.decoder.hidden_size, device=device)
        if frames:
            audio = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)
        lengths, audio_lengths = (
            torch.tensor([len(row) for row in group], dtype=torch.long, device=device)
            for group in (rows, frames)
        )
        text = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return self.loaded.model.decode_inputs(text, lengths, audio, audio_lengths)

    def text(self, answer: Hypothesis) -> str:
        """What it says; bytes at its end that are only the beginning of a character are left off."""
        return self.tokenizer.decode(answer.tokens).rstrip(HALF)


def wave_of(audio: str | np.ndarray) -> np.ndarray:
    """(N,) samples at 16 kHz of a file, or the wave itself."""
    return any_audio(audio) if isinstance(audio, str) else audio
