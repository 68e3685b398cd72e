import pytest

from qwen_audio.data.dialogue import parse_dialogue

OURS = {
    "id": "d1",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "audio", "audio": "a.wav"},
                {"type": "text", "text": "Or "},
                {"type": "audio", "audio": "b.wav"},
                {"type": "text", "text": "Which is a dog?"},
            ],
        },
        {"role": "assistant", "content": "The first."},
    ],
}
QUESTION, SYSTEM = "<audio>Or <audio>\nWhich is a dog?", "Be brief."
SHAREGPT = {
    "conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": "The first."}],
    "system": SYSTEM,
    "audios": ["a.wav", "b.wav"],
}
MESSAGES = {
    "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "The first."},
    ],
    "audios": ["a.wav", "b.wav"],
}
QWEN2_AUDIO = {
    "messages": [
        OURS["messages"][0],
        {
            "role": "user",
            "content": [
                {"type": "audio", "audio_url": part["audio"]} if part["type"] == "audio" else part
                for part in OURS["messages"][1]["content"]
            ],
        },
        OURS["messages"][2],
    ]
}


QUERY = {"query": QUESTION, "response": "The first.", "system": SYSTEM, "audios": ["a.wav", "b.wav"]}
WITH_SYSTEM = {**MESSAGES, "messages": MESSAGES["messages"][1:], "system": SYSTEM, "images": []}


@pytest.mark.parametrize("row", [SHAREGPT, MESSAGES, WITH_SYSTEM, QUERY, QWEN2_AUDIO])
def test_the_other_layouts_say_the_same_dialogue_as_ours(row):
    assert parse_dialogue(row, "d1") == parse_dialogue(OURS)


def test_what_is_null_is_absent():
    keys = ("type", "audio", "audio_url", "text")  # of a table: every part has each of them

    def table(row):
        messages = [{"name": None, "refusal": None, **message} for message in row["messages"]]
        parts = [{**dict.fromkeys(keys), **part} for part in messages[1]["content"]]
        messages[1]["content"] = parts
        return {"id": None, "conversations": None, "source": None, **row, "messages": messages}

    assert parse_dialogue(table(OURS)) == parse_dialogue(table(QWEN2_AUDIO), "d1") == parse_dialogue(OURS)
    assert parse_dialogue({**table(QWEN2_AUDIO), "audios": None}, "d1") == parse_dialogue(OURS)
    assert parse_dialogue({**SHAREGPT, "id": None, "messages": None}, "d1") == parse_dialogue(OURS)
    with pytest.raises(ValueError, match="hold <audio> 2 times, audios 0 paths"):
        parse_dialogue({**MESSAGES, "audios": None}, "d1")


def test_a_dialogue_of_texts_needs_no_audios():
    turns = {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi."}]}
    texts = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]}
    assert (
        parse_dialogue(turns, "d1")
        == parse_dialogue({"audios": [], **texts}, "d1")
        == parse_dialogue(texts, "d1")
    )


def test_a_question_of_audio_alone_has_no_text():
    row = {"messages": [{"role": "user", "content": "<audio>"}], "audios": "a.wav"}
    message = parse_dialogue(row, "d1").messages[0]
    assert (message.audios, message.text) == (["a.wav"], "")


def test_in_our_own_layout_and_in_an_answer_the_place_is_a_text():
    ours = {"id": "d1", "messages": [{"role": "user", "content": "What is <audio>?"}]}
    assert parse_dialogue(ours).messages[0].text == "What is <audio>?"
    row = {
        **MESSAGES,
        "messages": [*MESSAGES["messages"][:2], {"role": "assistant", "content": "An <audio>."}],
    }
    assert parse_dialogue(row, "d1").messages[2].text == "An <audio>."


@pytest.mark.parametrize(
    "row, message",
    [
        (
            {**MESSAGES, "audios": ["a.wav"]},
            "hold <audio> 2 times, audios 1 paths; write one <audio> for each",
        ),
        ({**SHAREGPT, "audios": ["a", "b", "c"]}, "hold <audio> 2 times, audios 3 paths"),
        ({"conversations": ["Hello"]}, "conversations is no list of objects with 'from' and 'value'"),
        (
            {"audios": {}, "messages": []},
            r"write 'messages' \(a list of objects\) and 'audios' \(a list of paths\)",
        ),
        ({"audios": ["a"]}, r"write 'messages' \(a list of objects\) and 'audios' \(a list of paths\)"),
        ({**MESSAGES, "audios": ["a", 3]}, r"messages\[1\].content\[2\].audio is 3"),
        ({"conversations": [{"from": "tool", "value": "x"}]}, r'messages\[0\].role is "tool"'),
        ({"conversations": [{"from": ["human"], "value": "x"}]}, r'messages\[0\].role is \["human"\]'),
    ],
)
def test_a_row_whose_texts_and_audios_do_not_fit_says_how(row, message):
    with pytest.raises(ValueError, match=message):
        parse_dialogue(row, "d1")


def test_earlier_turns_come_before_the_query():
    row = {
        "query": "And now?",
        "response": "A cat.",
        "history": [["<audio>What is it?", "A dog."]],
        "audios": "a.wav",
    }
    found = parse_dialogue(row, "d1")
    assert [message.text for message in found.messages] == ["What is it?", "A dog.", "And now?", "A cat."]
    assert found.messages[0].audios == ["a.wav"] and found.about == {}


def test_an_id_may_be_a_number():
    assert parse_dialogue({**OURS, "id": 7}).id == "7"


PART = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


@pytest.mark.parametrize(
    "row, message",
    [
        (
            {**MESSAGES, "images": ["x.png"]},
            "images cannot be seen, only audios are heard; take this dialogue out",
        ),
        ({"messages": MESSAGES["messages"], "audio": "a.wav"}, "write 'audios', a path for each <audio>"),
        (
            {"messages": [{"role": "user", "content": [PART]}]},
            "input_audio holds the audio itself; write it to a file",
        ),
        (
            {"query": "Hi", "response": "Hi.", "history": ["Hello"]},
            r"history is no list of pairs \[query, response\]",
        ),
    ],
)
def test_what_cannot_be_heard_is_refused_with_what_to_write(row, message):
    with pytest.raises(ValueError, match=message):
        parse_dialogue(row, "d1")
