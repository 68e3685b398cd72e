"""ChatML, the form in which a dialogue is read: one function for training and for chat.

    <|im_start|>system
    You are a helpful assistant.<|im_end|>
    <|im_start|>user
    Audio 1:<audio>(the audio's place)</audio>
    What is said?<|im_end|>
    <|im_start|>assistant
    The person says in English, "hello".<|im_end|>

The supervised fine-tuning format of Qwen-Audio (arXiv:2311.07919, section 3.3), as its released model reads it.
Qwen2-Audio was tuned with a blank after "Audio 1:"; its tokenizer says so (``audio_label``). Qwen-Audio-Chat answers
``It starts at <|2.33|> seconds.`` with the token of the time; its tokenizer says that too (``answer_times``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen_audio.data.dialogue import ASSISTANT, SYSTEM, Audio, Message, Text
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, AUDIO_PAD, tag, time_pieces
from qwen_audio.tokenizer import Tokenizer

BEGIN, END = tag("im_start"), tag("im_end")
SYSTEM_PROMPT = Message(SYSTEM, (Text("You are a helpful assistant."),))
TEMPLATE = (  # of dialogues of text alone, for apply_chat_template of transformers
    f"{{% if messages[0].role != '{SYSTEM}' %}}{BEGIN}{SYSTEM}\n{SYSTEM_PROMPT.text}{END}\n{{% endif %}}"
    f"{{% for message in messages %}}{BEGIN}{{{{ message.role }}}}\n{{{{ message.content }}}}{END}\n{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{BEGIN}{ASSISTANT}\n{{% endif %}}"
)


@dataclass(frozen=True)
class Encoded:
    """A dialogue, or a piece of it, as tokens.

    Attributes:
        ids: token ids; one placeholder stands for each audio.
        trained: of each, whether the model is to learn to write it: the assistant's words and its ``<|im_end|>``.
        audios: the audios in the order of their placeholders.
    """

    ids: list[int] = field(default_factory=list)
    trained: list[bool] = field(default_factory=list)
    audios: list = field(default_factory=list)

    def __add__(self, other: "Encoded") -> "Encoded":
        return Encoded(self.ids + other.ids, self.trained + other.trained, self.audios + other.audios)


def encode_message(message: Message, first_audio: int, tokenizer: Tokenizer) -> Encoded:
    """One message; its texts are never searched for special tokens, but for the times of answers that hold them.

    Args:
        first_audio: number of its first audio: 1 at the beginning of a dialogue.
    """
    pieces, text, audios = [], "", []
    for part in message.parts:
        if isinstance(part, Audio):
            text += tokenizer.audio_label.format(first_audio + len(audios))
            audios.append(part.audio)
            pieces += [(text, False), (AUDIO_BEGIN, True), (AUDIO_PAD, True), (AUDIO_END, True)]
            text = "\n"
        else:
            text += part.text
    head, own = _head(message.role, tokenizer), message.role == ASSISTANT
    pieces += time_pieces(text) if own and tokenizer.answer_times else [(text, False)]
    said = [*tokenizer.encode_pieces(pieces), tokenizer.token_id(END)]
    after = tokenizer.encode("\n")
    trained = [False] * len(head) + [own] * len(said) + [False] * len(after)
    return Encoded(head + said + after, trained, audios)


def encode_dialogue(messages: Sequence[Message], tokenizer: Tokenizer) -> Encoded:
    """A whole dialogue, after the usual system prompt where it has none of its own."""
    encoded = Encoded()
    for message in messages if messages[0].role == SYSTEM else (SYSTEM_PROMPT, *messages):
        encoded += encode_message(message, len(encoded.audios) + 1, tokenizer)
    return encoded


def answer_head(tokenizer: Tokenizer) -> list[int]:
    """What stands before the answer: ``<|im_start|>assistant`` and a line break."""
    return _head(ASSISTANT, tokenizer)


def _head(role: str, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode_pieces([(BEGIN, True), (role, False)]) + tokenizer.encode("\n")
