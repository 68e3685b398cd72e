"""Answers to many dialogues at once."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched, takewhile

import torch
from torch import Tensor

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.chat.model import ChatModel
from qwen_audio.chat.prompt import Prompt, make_prompt
from qwen_audio.data.dialogue import ASSISTANT, Dialogue
from qwen_audio.data.packing import padded_batches
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.prefix import Prefix
from qwen_audio.infer.search import search

KEPT = 50_000  # decoder positions of audio that are kept for dialogues to come
ENCODED_S = 120  # seconds of audio, padded, that are encoded at once


@dataclass(frozen=True)
class Answer:
    """The answer to a dialogue.

    Attributes:
        tokens: how many it has.
        ended, looped: see Hypothesis.
        dropped: messages at the dialogue's beginning that its prompt had no room for.
    """

    text: str
    tokens: int
    ended: bool
    looped: bool
    dropped: int


def answer_dialogues(
    loaded: LoadedModel, dialogues: Iterable[Dialogue], batch_size: int = 16, **options
) -> Iterator[Answer]:
    """Answers to the last question of each dialogue, in their order; an answer that stands there is not read.

    A dialogue gets the answer that a ChatSession with the same turns gives, whatever its batch (in bfloat16, but
    for rounding). A recording that several dialogues ask about is encoded once, as long as it is among those
    heard last.

    Args:
        batch_size: dialogues answered at once.
        options: as of ChatSession.

    Raises:
        ValueError: as of ChatSession, naming the dialogue.
    """
    model = ChatModel(loaded, options)
    heard = _Heard(model)
    for batch in batched(dialogues, batch_size):
        asked = [_asked(dialogue) for dialogue in batch]
        frames = heard.frames(batch, asked)
        prompts, audios = [], []
        for dialogue, messages, parts in zip(batch, asked, frames, strict=True):
            try:
                prompt = make_prompt(messages, [len(part) for part in parts], model.tokenizer, model.room)
            except ValueError as error:
                raise ValueError(f"dialogue {dialogue.id}: {error}") from None
            prompts.append(prompt)
            audios += [parts[number] for number in prompt.audios]
        prefix = _read(model, prompts, audios)
        found = search(model.decoder, prefix, model.grammar, prefix.lengths, model.end, model.options)
        for prompt, answer in zip(prompts, found, strict=True):
            yield Answer(model.text(answer), len(answer.tokens), answer.ended, answer.looped, prompt.dropped)


def _asked(dialogue: Dialogue) -> tuple:
    """Its messages up to the last question."""
    return dialogue.messages[: len(dialogue.messages) - (dialogue.messages[-1].role == ASSISTANT)]


class _Heard:
    """Decoder embeddings of audio files; those used last are kept."""

    def __init__(self, model: ChatModel):
        self._model, self._kept = model, OrderedDict()

    def frames(self, dialogues: tuple[Dialogue, ...], asked: list[tuple]) -> list[list[Tensor]]:
        """(T_i, E) of each audio of each dialogue."""
        specs = [[audio for message in messages for audio in message.audios] for messages in asked]
        new: dict[str, Tensor] = {}
        for dialogue, audios in zip(dialogues, specs, strict=True):
            for spec in audios:
                if spec not in self._kept and spec not in new:
                    try:
                        new[spec] = self._model.clip(spec)
                    except ValueError as error:
                        raise ValueError(f"dialogue {dialogue.id}: {error}") from None
        self._kept |= self._encode(new)
        for audios in specs:
            for spec in audios:
                self._kept.move_to_end(spec)
        found = [[self._kept[spec] for spec in audios] for audios in specs]
        while sum(map(len, self._kept.values())) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _encode(self, clips: dict[str, Tensor]) -> dict[str, Tensor]:
        order = sorted(clips, key=lambda spec: len(clips[spec]))
        found = {}
        for part in padded_batches(order, lambda spec: len(clips[spec]), ENCODED_S * SAMPLE_RATE):
            found |= zip(part, self._model.hear([clips[spec] for spec in part]), strict=True)
        return found


@torch.inference_mode()
def _read(model: ChatModel, prompts: list[Prompt], audios: list[Tensor]) -> Prefix:
    """The prompts, read; what all of them begin with is read once."""
    texts = [prompt.ids for prompt in prompts]
    placeholder = model.tokenizer.placeholder
    columns = zip(*(text[:-1] for text in texts))  # something is left of each
    same = takewhile(lambda ids: len(set(ids)) == 1 and ids[0] != placeholder, columns)
    common = len(list(same))
    begin = Prefix.start(model.decoder, model.inputs([texts[0][:common]], []))
    inputs = model.inputs([text[common:] for text in texts], audios)
    every = torch.zeros(len(texts), dtype=torch.long, device=inputs.lengths.device)
    return begin.select(every).extend(model.decoder, inputs.embeddings, inputs.lengths)
