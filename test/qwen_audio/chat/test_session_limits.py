"""What a session says of its limits, and what it does with what cannot be asked."""

import dataclasses

import numpy as np
import pytest

from qwen_audio.chat.answers import answer_dialogues
from qwen_audio.data.dialogue import Dialogue, Message, Text
from qwen_audio.infer.pretrained import load_whisper

SHORT = {"max_new_tokens": 16}


@pytest.fixture
def short_context(loaded, monkeypatch):
    """Function (positions) that makes the model's context so short."""
    config = loaded.model.decoder.body().config
    return lambda positions: monkeypatch.setattr(config, "max_position_embeddings", positions)


def test_a_dialogue_longer_than_the_context_drops_its_oldest_turns_and_says_so(
    loaded, start_chat, sound_files, short_context
):
    short_context(240)
    session, notes = start_chat()
    session.notify = lambda note: notes.append(note) if "longer" in note else None
    for number in range(6):
        session.ask("What is said?", audio=sound_files[number % 5])
    assert "the dialogue is longer than the model's context: its first 1 turn(s) are no longer read" in notes
    assert len(session.messages) == 12
    dialogues = [Dialogue(str(end), tuple(session.messages[:end])) for end in range(2, 13, 2)]
    answers = list(answer_dialogues(loaded, dialogues, **SHORT))
    assert [answer.text for answer in answers] == [dialogue.messages[-1].text for dialogue in dialogues]
    dropped = [answer.dropped for answer in answers]
    assert dropped[0] == 0 and dropped == sorted(dropped) and 2 <= dropped[-1] < 10
    assert len(notes) == len(set(dropped)) - 1


def test_a_question_longer_than_the_context_leaves_the_session_as_it_was(
    start_chat, sound_files, short_context
):
    short_context(180)
    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    with pytest.raises(
        ValueError, match="takes .* positions, the model has room for 164 before its answer; shorten"
    ):
        session.ask("What? " * 100)
    assert len(session.messages) == 2 and session.ask("Is it a fox?")


def test_a_model_of_stage_1_says_once_that_it_never_learnt_to_chat(loaded, start_chat):
    session, notes = start_chat()
    session.ask("Hello")
    session.ask("Hello again")
    session.reset()
    session.ask("Hello")
    told = [
        note for note in notes if "was trained on asr, srwt, mna, lid alone (stage 1), never for chat" in note
    ]
    assert len(told) == 1
    tuned = dataclasses.replace(loaded, tasks=["template", "text"])
    notes = []
    tuned.chat(notify=notes.append, **SHORT).ask("Hello")
    assert not any("stage 1" in note for note in notes)


def test_an_answer_that_was_cut_says_why(start_chat, spelling):
    session, notes = start_chat(max_new_tokens=3)
    session.ask("What is said?")
    assert notes[-1] == "the answer was cut: max_new_tokens is 3"
    session, notes = start_chat(max_new_tokens=40)
    session._model.grammar = spelling("ab" * 30)
    assert session.ask("What is said?") == "ab"
    assert notes[-1] == "the answer was cut: it went round in circles"


def test_without_notify_a_note_is_a_warning(loaded):
    with pytest.warns(UserWarning, match="never for chat"):
        loaded.chat(**SHORT).ask("Hello")


@pytest.mark.parametrize("question, audio, message", [
    ("", None, 'the question is ""; write a text that is not empty'),
    ("a\udcff", None, "the question holds half a surrogate pair, which is no character; write it in UTF-8"),
    ("What?", "gone.wav", "missing file: gone.wav"),
    ("What?", (np.zeros(100, np.float32), 16000), r"too short: the array has 0.006 s, less than one frame"),
    ("What?", (np.zeros(0, np.float32), 16000), r"too short: the array has 0.000 s"),
    ("What?", (np.zeros((2, 16000)), 16000), r"an array of shape \(2, 16000\); write \(N,\) or \(N, channels\)"),
    ("What?", (np.full(16000, np.nan), 16000), "an array of float64 holds samples that are no numbers"),
    ("What?", (np.zeros(16000), 0), "a rate of 0; write samples per second"),
    ("What?", np.zeros(16000), r"the audio is an array without its rate; write audio=\(samples, 16000\)"),
])  # fmt: skip
def test_what_cannot_be_asked_says_why_and_leaves_the_session_as_it_was(talk, question, audio, message):
    before = list(talk.messages)
    with pytest.raises(ValueError, match=message):
        talk.ask(question, audio)
    assert talk.messages == before and talk.ask("Go on")


def test_a_dialogue_of_a_batch_that_cannot_be_answered_is_named(loaded, talk):
    dialogues = [
        Dialogue("good", tuple(talk.messages)),
        Dialogue("bad", (Message("user", (Text("x" * 5000),)),)),
    ]
    with pytest.raises(ValueError, match="^dialogue bad: the question with its audio takes"):
        list(answer_dialogues(loaded, dialogues, **SHORT))


@pytest.mark.parametrize("options, message", [
    ({"beam": 2}, "unknown option beam; did you mean 'beam_size'"),
    ({"ctc_weight": 0.3}, r"unknown option ctc_weight .*beam_size, length_bonus, max_new_tokens"),
    ({"max_new_tokens": 4096}, "max_new_tokens is 4096, the model reads 4096 positions; lower it"),
])  # fmt: skip
def test_an_option_that_chat_has_not_names_those_it_has(loaded, options, message):
    with pytest.raises(ValueError, match=message):
        loaded.chat(**options)


def test_a_decoder_that_reads_one_audio_a_text_cannot_chat(whole_whisper):
    with pytest.raises(ValueError, match="^this model cannot chat: decoder whisper reads one audio a text"):
        load_whisper(str(whole_whisper)).chat()
