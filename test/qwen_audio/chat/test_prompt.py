import pytest

from qwen_audio.chat.chatml import answer_head, encode_dialogue
from qwen_audio.chat.prompt import make_prompt
from qwen_audio.data.dialogue import Audio, Message, Text

SYSTEM = Message("system", (Text("Be brief."),))
MESSAGES = [
    Message("user", (Audio("a.wav"), Audio("b.wav"), Text("What is said?"))),
    Message("assistant", (Text("the fox"),)),
    Message("user", (Text("And then?"),)),
    Message("assistant", (Text("the dog"),)),
    Message("user", (Audio("c.wav"), Text("Again?"))),
]
FRAMES = [30, 20, 10]


def positions(messages, frames, tokenizer):
    """Decoder positions of the dialogue and the head of its answer, by what training reads."""
    encoded = encode_dialogue(messages, tokenizer)
    return len(encoded.ids) - len(encoded.audios) + sum(frames) + len(answer_head(tokenizer))


@pytest.mark.parametrize("messages", [MESSAGES, [SYSTEM, *MESSAGES], MESSAGES[2:3]])
def test_a_prompt_is_the_dialogue_as_training_reads_it_and_the_head_of_an_answer(tiny_tokenizer, messages):
    encoded = encode_dialogue(messages, tiny_tokenizer)
    heard = FRAMES[: len(encoded.audios)]
    prompt = make_prompt(messages, heard, tiny_tokenizer, room=positions(messages, heard, tiny_tokenizer))
    assert prompt.ids == encoded.ids + answer_head(tiny_tokenizer)
    assert (list(prompt.audios), prompt.dropped) == ([*range(len(heard))], 0)


@pytest.mark.parametrize("system", [[], [SYSTEM]])
def test_where_it_is_too_long_the_oldest_turns_go_and_the_system_message_stays(tiny_tokenizer, system):
    messages = system + MESSAGES
    whole = positions(messages, FRAMES, tiny_tokenizer)
    for room, dropped in (
        (whole, 0),
        (whole - 1, 2),
        (positions(system + MESSAGES[2:], [10], tiny_tokenizer), 2),
    ):
        assert make_prompt(messages, FRAMES, tiny_tokenizer, room).dropped == dropped
    prompt = make_prompt(messages, FRAMES, tiny_tokenizer, whole - 1)
    assert list(prompt.audios) == [2]
    text = tiny_tokenizer.decode(prompt.ids)
    assert text.startswith(tiny_tokenizer.decode(encode_dialogue([*system, MESSAGES[2]], tiny_tokenizer).ids))


def test_audios_keep_their_numbers_when_those_before_are_gone(tiny_tokenizer):
    room = positions(MESSAGES[4:], [10], tiny_tokenizer)
    prompt = make_prompt(MESSAGES, FRAMES, tiny_tokenizer, room)
    assert prompt.dropped == 4
    text = tiny_tokenizer.decode(prompt.ids)
    assert "user\nAudio 3:<audio>" in text and text.count("<audio>") == 1


def test_a_question_too_long_by_itself_says_by_how_much(tiny_tokenizer):
    needed = positions(MESSAGES[4:], [10], tiny_tokenizer)
    with pytest.raises(
        ValueError, match=f"takes {needed} positions, the model has room for {needed - 1} before"
    ):
        make_prompt(MESSAGES, FRAMES, tiny_tokenizer, needed - 1)
