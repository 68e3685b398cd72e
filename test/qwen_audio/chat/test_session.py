import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.chat.answers import answer_dialogues
from qwen_audio.chat.chatml import answer_head, encode_dialogue, encode_message
from qwen_audio.data.dialogue import Dialogue, Message, Text, read_dialogues, write_dialogues
from qwen_audio.timestamp.tokens import Tokens

SHORT = {"max_new_tokens": 16}


def test_answers_listen_to_the_audio_and_to_the_turns_before(start_chat, sound_files):
    answers = set()
    for path in (sound_files[1], sound_files[3]):
        session, _ = start_chat()
        answers |= {session.ask("What is said?", audio=path), session.ask("What is said?")}
    assert len(answers) == 4


def test_a_second_turn_does_not_encode_the_first_audio_again(start_chat, sound_files, encoded):
    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    assert encoded == [1]
    session.ask("Is it a fox?")
    assert encoded == [1]
    session.ask("And here?", audio=sound_files[2])
    assert encoded == [1, 1]


def test_a_second_turn_reads_the_answer_and_the_question_alone(loaded, start_chat, sound_files):
    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    read = []
    hook = loaded.model.decoder.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))
    session.ask("Is it a fox?")
    hook.remove()
    new = [encode_message(message, 2, loaded.tokenizer).ids for message in session.messages[1:3]]
    head = encode_message(Message("assistant", (Text("x"),)), 2, loaded.tokenizer).ids.index(
        loaded.tokenizer.encode("x")[0]
    )
    assert read[0] == len(new[0]) - head + len(new[1]) + len(answer_head(loaded.tokenizer))
    assert set(read[1:]) <= {1}


def test_a_time_in_an_answer_is_read_again_as_the_token_that_it_was(loaded, timed_tokenizer, spelling):
    token, encode = timed_tokenizer.token_id, timed_tokenizer.encode
    session = replace(loaded, tokenizer=timed_tokenizer).chat(max_new_tokens=40)
    session._model.grammar = spelling([*encode("it starts at "), token("<|2.33|>"), *encode(" seconds")])
    with pytest.warns(UserWarning, match="never for chat"):
        assert session.ask("When?") == "it starts at <|2.33|> seconds"
    before, written = session._ids, session._model.grammar.ids.tolist()
    session.ask("Not at <|1.00|>?")
    assert session._ids[: len(before) + len(written)] == [*before, *written]
    assert token("<|1.00|>") not in session._ids


def test_a_dialogue_is_answered_the_same_in_a_session_alone_and_in_a_batch(
    loaded, talk, start_chat, sound_files
):
    other, _ = start_chat()
    other.ask("Please leave a message after the tone.")
    dialogues = [
        Dialogue(f"{name}{end}", tuple(session.messages[:end]))
        for name, session in (("talk", talk), ("other", other))
        for end in range(2, len(session.messages) + 1, 2)
    ]
    expected = [dialogue.messages[-1].text for dialogue in dialogues]
    assert len(set(expected)) == 4
    for size in (1, 3, 16):
        answers = list(answer_dialogues(loaded, dialogues, batch_size=size, **SHORT))
        assert [answer.text for answer in answers] == expected
    open_end = [Dialogue(dialogue.id, dialogue.messages[:-1]) for dialogue in dialogues]
    assert [answer.text for answer in answer_dialogues(loaded, open_end, **SHORT)] == expected


def test_a_beam_gives_a_session_and_a_batch_the_same_answer_too(loaded, start_chat, sound_files):
    options = {"beam_size": 3, "length_bonus": 0.2}
    session, _ = start_chat(**options)
    session.ask("What is said?", audio=sound_files[1])
    session.ask("Is it a fox?")
    dialogues = [Dialogue(str(end), tuple(session.messages[:end])) for end in (2, 4)]
    answers = answer_dialogues(loaded, dialogues, **SHORT, **options)
    assert [answer.text for answer in answers] == [session.messages[1].text, session.messages[3].text]


def test_a_stream_is_the_answer_in_pieces(talk, start_chat, sound_files):
    session, _ = start_chat()
    asked = [
        ("What is said?", sound_files[1]),
        ("Is it a fox?", None),
        ("And which is longer?", [sound_files[0], sound_files[3]]),
    ]
    given = [list(session.ask(question, audio=audio, stream=True)) for question, audio in asked]
    assert ["".join(pieces) for pieces in given] == [message.text for message in session.messages[1::2]]
    assert all(map(all, given)) and max(map(len, given)) > 3
    assert session.messages == talk.messages


def test_no_piece_of_a_stream_ends_within_a_character(loaded, start_chat, spelling):
    text = "naïve 世界 🙂, é"
    spelt = loaded.tokenizer.encode(text)
    assert len(spelt) > len(text)  # characters in several tokens
    session, _ = start_chat(max_new_tokens=40)
    session._model.grammar = spelling(text)
    pieces = list(session.ask("Spell it", stream=True))
    assert "".join(pieces) == text and "🙂" in pieces and not any("\ufffd" in piece for piece in pieces)
    session._model.grammar = spelling(spelt[: len(loaded.tokenizer.encode("naïve 世界 ")) + 2])
    assert session.ask("Spell it") == "naïve 世界 "  # the half character at the end is left off


def test_a_stream_that_is_not_heard_to_its_end_leaves_the_session_as_it_was(talk, start_chat, sound_files):
    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    next(session.ask("Who is it?", audio=sound_files[4], stream=True))
    assert len(session.messages) == 2
    session.ask("Is it a fox?")
    session.ask("And which is longer?", audio=[sound_files[0], sound_files[3]])
    assert session.messages == talk.messages


@pytest.mark.parametrize("broken_off", [1, 2])
def test_the_question_of_an_answer_broken_off_can_be_asked_again(talk, start_chat, sound_files, broken_off):
    session, _ = start_chat()
    asked = [("What is said?", sound_files[1]), ("Is it a fox?", None)]
    for turn, (question, audio) in enumerate(asked, start=1):
        if turn == broken_off:
            next(session.ask(question, audio=audio, stream=True))
        session.ask(question, audio=audio)
    assert session.messages == talk.messages[:4]


def test_after_an_answer_broken_off_the_same_words_may_be_asked_of_another_file(start_chat, sound_files):
    session, _ = start_chat()
    fresh, _ = start_chat()
    next(session.ask("What is said?", audio=sound_files[3], stream=True))
    assert session.ask("What is said?", audio=sound_files[4]) == fresh.ask(
        "What is said?", audio=sound_files[4]
    )


def test_a_question_without_an_answer_can_be_asked_again(start_chat, spelling):
    session, notes = start_chat()
    session._model.grammar = spelling("")
    assert [session.ask("What is it?") for _ in range(2)] == ["", ""]
    assert notes[-2:] == ["the model wrote nothing; the question is not kept"] * 2


def test_a_break_while_reading_leaves_the_session_as_it_was(loaded, talk, start_chat, sound_files):
    def break_off(*_):
        raise KeyboardInterrupt

    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    hook = loaded.model.decoder.body().layers[1].register_forward_pre_hook(break_off)
    with pytest.raises(KeyboardInterrupt):
        session.ask("Is it a fox?")
    hook.remove()
    session.ask("Is it a fox?")
    session.ask("And which is longer?", audio=[sound_files[0], sound_files[3]])
    assert session.messages == talk.messages


def test_after_a_reset_nothing_is_left_of_what_was_said(talk, start_chat, sound_files):
    fresh, _ = start_chat()
    talk.reset()
    assert talk.messages == []
    for session in (talk, fresh):
        session.ask("Which is it?", audio=sound_files[4])
        session.ask("Really?")
    assert talk.messages == fresh.messages


def test_an_array_is_heard_as_its_file_is(talk, start_chat, sounds, sound_files, tmp_path):
    session, _ = start_chat()
    session.ask("What is said?", audio=(sounds[1], SAMPLE_RATE))
    session.ask("Is it a fox?")
    session.ask("And which is longer?", audio=[(sounds[0], SAMPLE_RATE), sound_files[3]])
    assert [message.text for message in session.messages] == [message.text for message in talk.messages]
    stereo = np.stack([sounds[2], sounds[2] / 2], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 22050, subtype="FLOAT")
    answers = []
    for audio in ((stereo, 22050), tmp_path / "stereo.wav"):
        session.reset()
        answers.append(session.ask("What is said?", audio=audio))
    session.reset()
    assert answers == [session.ask("What is said?", audio=stereo, rate=22050)] * 2


def test_a_saved_dialogue_goes_on_as_if_never_left(talk, start_chat, sounds, sound_files, tmp_path):
    session, _ = start_chat()
    session.ask("What is said?", audio=(sounds[1], SAMPLE_RATE))
    session.ask("Is it a fox?")
    session.save(tmp_path / "talk.jsonl")
    again, _ = start_chat()
    again.load(tmp_path / "talk.jsonl")
    assert again.messages[0].audios == [f"{tmp_path}/talk.jsonl.audio1.wav"]
    again.ask("And which is longer?", audio=[sound_files[0], sound_files[3]])
    assert [message.text for message in again.messages] == [message.text for message in talk.messages]


def test_a_saved_dialogue_is_a_line_of_the_published_layout(loaded, talk, tmp_path):
    talk.save(tmp_path / "talk.jsonl")
    assert list(read_dialogues(tmp_path / "talk.jsonl")) == [Dialogue("talk", tuple(talk.messages))]
    encoded = encode_dialogue(talk.messages, loaded.tokenizer)
    assert encoded.ids[: len(talk._ids)] == talk._ids  # what training would read is what the chat has read


@pytest.mark.parametrize("fault, message", [
    ("two", "holds 2 dialogues; a session is one"),
    ("open", "other.jsonl: the dialogue ends with a question; leave it out and ask it"),
    ("deaf", "missing file: gone.wav"),
])  # fmt: skip
def test_a_file_that_cannot_be_gone_on_with_leaves_the_session_as_it_was(talk, tmp_path, fault, message):
    before, path = list(talk.messages), tmp_path / "other.jsonl"
    one = Dialogue("one", tuple(talk.messages))
    kinds = {"two": [one, Dialogue("two", one.messages)], "open": [Dialogue("one", one.messages[:3])]}
    write_dialogues(path, kinds.get(fault, [one]))
    if fault == "deaf":
        path.write_text(re.sub(r'"audio": "[^"]*3.wav"', '"audio": "gone.wav"', path.read_text()))
    with pytest.raises(ValueError, match=message):
        talk.load(path)
    assert talk.messages == before and talk.ask("Go on")


def test_words_are_those_of_the_models_timestamp_head_on_the_last_audio(
    loaded, talk, start_chat, sounds, sound_files
):
    assert talk.words() == Tokens().words(loaded, sounds[3])
    assert talk.words("en", sound_files[1]) == Tokens().words(loaded, sounds[1])
    with pytest.raises(ValueError, match="unknown language 'english' .valid: .*en, "):
        talk.words("english")
    session, _ = start_chat()
    with pytest.raises(ValueError, match="no audio was heard yet; give one"):
        session.words()


def test_words_that_were_cut_are_told_of(start_chat, sound_files, cut_answers):
    session, notes = start_chat()
    session.words("en", sound_files[1])
    assert [note for note in notes if note.startswith("1 window(s) not written to the end")]


def test_a_session_resumes_messages_of_another(talk, start_chat, sound_files):
    session, _ = start_chat()
    session.resume(talk.messages[:4])
    session.ask("And which is longer?", audio=[sound_files[0], sound_files[3]])
    assert session.messages == talk.messages
