import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_audio.data.dialogue import (
    Audio,
    Dialogue,
    Message,
    Text,
    parse_dialogue,
    read_dialogues,
    to_row,
    write_dialogues,
)
from qwen_audio.tags import SPECIAL_TOKENS

WORDS = st.one_of(st.sampled_from(SPECIAL_TOKENS[::500]), st.text(st.characters(codec="utf-8"), min_size=1))
TEXTS = st.builds(Text, WORDS)
QUESTIONS = st.lists(st.one_of(TEXTS, st.builds(Audio, WORDS)), min_size=1, max_size=3)
TURNS = st.lists(st.tuples(QUESTIONS, st.lists(TEXTS, min_size=1, max_size=2)), min_size=1, max_size=3)


def row(*messages, **more):
    return {"id": "d1", "messages": list(messages), **more}


def user(content="Hello"):
    return {"role": "user", "content": content}


def assistant(content="Hi."):
    return {"role": "assistant", "content": content}


@given(turns=TURNS, system=st.none() | TEXTS, open_end=st.booleans())
def test_a_dialogue_comes_back_as_it_was_written(tmp_path_factory, turns, system, open_end):
    messages = [Message("system", (system,))] if system else []
    for question, answer in turns:
        messages += [Message("user", tuple(question)), Message("assistant", tuple(answer))]
    messages = tuple(messages[: len(messages) - open_end])
    dialogues = [
        Dialogue("one", messages, {"source": "joined", "facts": {"count": 2}}),
        Dialogue("two", messages),
    ]
    path = tmp_path_factory.mktemp("dialogues") / "dialogues.jsonl"
    write_dialogues(path, dialogues)
    assert list(read_dialogues(path)) == dialogues


def test_a_line_holds_what_the_published_layout_says():
    audio, text = Audio("a.wav"), Text("What is said?")
    dialogue = Dialogue(
        "d1",
        (Message("user", (audio, text)), Message("assistant", (Text("hello"),))),
        {"source": "template", "task": "asr"},
    )
    assert to_row(dialogue) == {
        "id": "d1",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "audio", "audio": "a.wav"}, {"type": "text", "text": "What is said?"}],
            },
            {"role": "assistant", "content": "hello"},
        ],
        "source": "template",
        "task": "asr",
    }


def test_a_message_tells_its_text_and_its_audios():
    message = Message("user", (Text("Which of "), Audio("a.wav"), Audio("b.wav"), Text("is music?")))
    assert (message.text, message.audios) == ("Which of is music?", ["a.wav", "b.wav"])


@pytest.mark.parametrize(
    "bad, message",
    [
        ("hello", "is \"hello\"; write an object with 'id' and 'messages'"),
        (row(user(), id=[3]), r"id is \[3\]; write a text that is not empty"),
        ({"id": "d1"}, "messages is null; write a list of objects with 'role' and 'content'"),
        (row("hi"), r"messages\[0\] is \"hi\"; write an object with 'role' and 'content'"),
        (row({**user(), "audio": "a.wav"}), r"messages\[0\]: unknown key 'audio'"),
        (row({"role": "usr", "content": "a"}), r"messages\[0\].role is \"usr\"; did you mean 'user'\?"),
        (row(user(None)), r"messages\[0\].content is null; write a text, or a list of parts"),
        (row(user([])), r"messages\[0\].content is \[\]; write a text, or a list of parts"),
        (row(user("")), r"messages\[0\].content\[0\].text is \"\"; write a text that is not empty"),
        (
            row(user([{"type": "image", "image": "a"}])),
            r"content\[0\] is .*; write {\"type\": \"text\", \"text\": …}",
        ),
        (
            row(user([{"type": "audio", "text": "a"}])),
            r"content\[0\] is .*or {\"type\": \"audio\", \"audio\": PATH}",
        ),
        (
            row(user([{"type": "audio", "audio": 3}])),
            r"content\[0\].audio is 3; write a text that is not empty",
        ),
        (row(user("a\ud800b")), r"content\[0\].text holds half a surrogate pair"),
        (
            row(user(), assistant([{"type": "audio", "audio": "a"}])),
            "the assistant's message holds audio; only the",
        ),
        (row(), "messages holds no user message; write at least one"),
        (row({"role": "system", "content": "a"}), "messages holds no user message; write at least one"),
        (row(assistant()), r"messages\[0\].role is 'assistant' where 'user' is due"),
        (
            row(user(), user()),
            r"messages\[1\].role is 'user' where 'assistant' is due: after the system's message",
        ),
        (
            row(user(), {"role": "system", "content": "a"}),
            r"messages\[1\].role is 'system' where 'assistant' is due",
        ),
        (row(user([{"type": ["text"], "text": "a"}])), r"content\[0\] is .*; write {\"type\": \"text\""),
        (row({"role": ["user"], "content": "a"}), r"messages\[0\].role is \[\"user\"\]"),
        (row(user(), task=["asr"]), r"task is \[\"asr\"\]; write the name of one"),
        (row(user(), facts="a dog"), "facts is \"a dog\"; write an object, its 'rows' a list of them"),
        (row(user(), facts={"rows": "a dog"}), "facts is .*; write an object, its 'rows' a list of them"),
        (row(user(), source="templates"), "source is \"templates\"; did you mean 'template'"),
    ],
)
def test_what_is_wrong_with_a_row_is_named_with_its_line_and_key(tmp_path, bad, message):
    path = tmp_path / "dialogues.jsonl"
    path.write_text(json.dumps({**row(user()), "id": "good"}) + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(ValueError, match=f"^{path}:2: .*{message}"):
        list(read_dialogues(path))


@pytest.mark.parametrize("line", ["{", "", "\udcff"])
def test_what_is_no_json_is_named_with_its_line(tmp_path, line):
    path = tmp_path / "dialogues.jsonl"
    path.write_text(json.dumps(row(user())) + f"\n{line}\n", errors="surrogateescape")
    with pytest.raises(ValueError, match=f"^{path}:2: not JSON .*; write one object a line$"):
        list(read_dialogues(path))


def test_an_id_stands_once_in_a_file(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    path.write_text(2 * (json.dumps(row(user())) + "\n"))
    with pytest.raises(ValueError, match=f"^{path}:2: the id 'd1' stands twice; give each dialogue its own$"):
        list(read_dialogues(path))


def test_a_row_without_id_gets_the_files_name_and_its_number(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(row(user())) + "\n" + json.dumps({"messages": [user()]}) + "\n")
    assert [dialogue.id for dialogue in read_dialogues(path)] == ["d1", "mine-2"]


def test_a_file_may_be_one_json_list_whose_faults_are_named_by_place(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([row(user()), row(assistant())], indent=2))
    with pytest.raises(ValueError, match=rf"^{path}:\[1\]: messages\[0\].role is 'assistant'"):
        list(read_dialogues(path))
    path.write_text(json.dumps([row(user())], indent=2))
    assert list(read_dialogues(path)) == [parse_dialogue(row(user()))]


@pytest.mark.parametrize("before", ["\ufeff", "\n", "\ufeff \r\n"])
def test_a_byte_order_mark_or_blanks_may_stand_before_a_list(tmp_path, before):
    path = tmp_path / "data.json"
    path.write_text(before + json.dumps([row(user())], indent=2), encoding="utf-8")
    assert list(read_dialogues(path)) == [parse_dialogue(row(user()))]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    write_dialogues(path, [parse_dialogue(row(user()))])
    with pytest.raises(TypeError):
        write_dialogues(path, [parse_dialogue(row(user("another"))), Dialogue("x", (), {"facts": object()})])
    assert [dialogue.messages[0].text for dialogue in read_dialogues(path)] == ["Hello"]
