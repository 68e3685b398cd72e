"""What a chat model reads before it answers: a dialogue as tokens, cut to what its context holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_audio.chat.chatml import SYSTEM_PROMPT, answer_head, encode_message
from qwen_audio.data.dialogue import SYSTEM, Message
from qwen_audio.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """A dialogue up to the head of its next answer.

    Attributes:
        ids: token ids; one placeholder stands for each audio.
        audios: numbers, from 0 on, of the dialogue's audios that are in it.
        dropped: messages at the dialogue's beginning that are not; its system message always is.
    """

    ids: list[int]
    audios: range
    dropped: int


def make_prompt(messages: Sequence[Message], frames: list[int], tokenizer: Tokenizer, room: int) -> Prompt:
    """The dialogue ``messages``, whose last one is the user's; oldest turns are left out where it is too long.

    Audios keep their numbers: ``Audio 3:`` stays that when the turn of the first two is gone.

    Args:
        frames: decoder positions of each of the dialogue's audios.
        room: positions that the prompt may take.

    Raises:
        ValueError: if the last message alone is too long.
    """
    own = messages[0].role == SYSTEM
    system = encode_message(messages[0] if own else SYSTEM_PROMPT, 1, tokenizer)
    said, sizes, first = [], [], 0
    for message in messages[own:]:
        said.append(encode_message(message, first + 1, tokenizer))
        heard = len(said[-1].audios)
        sizes.append(len(said[-1].ids) - heard + sum(frames[first : first + heard]))
        first += heard
    head = answer_head(tokenizer)
    begin, total = 0, len(system.ids) + sum(sizes) + len(head)
    while total > room and begin < len(said) - 1:
        total -= sum(sizes[begin : begin + 2])
        begin += 2
    if total > room:
        raise ValueError(
            f"the question with its audio takes {total} positions, the model has room for {room} before its"
            " answer; shorten it, or lower max_new_tokens"
        )
    ids = [id for part in [system, *said[begin:]] for id in part.ids] + head
    dropped = sum(len(part.audios) for part in said[:begin])
    return Prompt(ids, range(dropped, first), begin)
