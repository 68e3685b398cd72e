import pytest

from qwen_audio.chat import answers as module
from qwen_audio.chat.answers import answer_dialogues
from qwen_audio.chat.chatml import encode_dialogue
from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text


def ask(name, question, *paths):
    return Dialogue(name, (Message("user", (*map(Audio, paths), Text(question))),))


@pytest.fixture
def dialogues(sound_files):
    return [
        ask("a", "What is said?", sound_files[1]),
        ask("b", "Is it a fox?", sound_files[2], sound_files[1]),
        ask("c", "Who speaks?", sound_files[1]),
        ask("d", "Is it a fox?", sound_files[2]),
    ]


def test_a_recording_that_several_dialogues_ask_about_is_encoded_once(loaded, dialogues, encoded):
    list(answer_dialogues(loaded, dialogues, 2, max_new_tokens=3))
    assert encoded == [2]


def test_recordings_heard_long_ago_are_encoded_again(loaded, dialogues, encoded, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 0)
    list(answer_dialogues(loaded, dialogues, 2, max_new_tokens=3))
    assert encoded == [2, 2]


def test_long_recordings_are_encoded_a_few_at_a_time(loaded, sound_files, encoded, monkeypatch):
    monkeypatch.setattr(module, "ENCODED_S", 3.0)
    several = [ask(str(number), "What is it?", path) for number, path in enumerate(sound_files)]
    together = list(answer_dialogues(loaded, several, 5, max_new_tokens=6))
    assert encoded == [2, 2, 1]  # of 0.4, 0.75, 1.3, 1.31 and 2.1 s
    alone = [next(answer_dialogues(loaded, [dialogue], max_new_tokens=6)) for dialogue in several]
    assert together == alone


def test_what_all_prompts_begin_with_is_read_once(loaded, dialogues):
    read = []
    hook = loaded.model.decoder.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[:2]))
    list(answer_dialogues(loaded, dialogues, 4, max_new_tokens=1))
    hook.remove()
    system = encode_dialogue([Message("user", (Text("x"),))], loaded.tokenizer).ids
    (rows, first), (every, rest) = read
    assert (rows, every) == (1, 4) and first >= system.index(loaded.tokenizer.encode("x")[0]) and rest > 0
