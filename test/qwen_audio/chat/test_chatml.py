import pytest
from transformers import AutoTokenizer

from qwen_audio.chat.chatml import answer_head, encode_dialogue, encode_message
from qwen_audio.data.dialogue import Audio, Message, Text
from qwen_audio.tags import SPECIAL_TOKENS

TWO_AUDIOS = (
    Message("user", (Audio("a.wav"), Text("What is said?"))),
    Message("assistant", (Text("the fox"),)),
    Message("user", (Audio("b.wav"), Audio("c.wav"), Text("And here?"))),
    Message("assistant", (Text("the dog"),)),
)
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"


def tokens(tokenizer, ids):
    return [tokenizer.decode([id]) for id in ids]


def written(tokenizer, ids):
    return tokenizer.decode(ids).replace("[[[AUDIO:modality]]]", "@")


def test_a_dialogue_is_written_as_the_paper_writes_it(tiny_tokenizer):
    encoded = encode_dialogue(TWO_AUDIOS, tiny_tokenizer)
    assert written(tiny_tokenizer, encoded.ids) == (
        SYSTEM + "<|im_start|>user\nAudio 1:<audio>@</audio>\nWhat is said?<|im_end|>\n"
        "<|im_start|>assistant\nthe fox<|im_end|>\n"
        "<|im_start|>user\nAudio 2:<audio>@</audio>\nAudio 3:<audio>@</audio>\nAnd here?<|im_end|>\n"
        "<|im_start|>assistant\nthe dog<|im_end|>\n"
    )
    assert encoded.audios == ["a.wav", "b.wav", "c.wav"]


def test_the_loss_is_on_the_assistants_words_and_its_end_alone(tiny_tokenizer):
    """Token by token: every token of the dialogue beside whether it is trained."""
    said = Message("user", (Audio("a.wav"), Text("dog")))
    encoded = encode_dialogue((said, Message("assistant", (Text("the fox"),)), said), tiny_tokenizer)
    table = list(zip(tokens(tiny_tokenizer, encoded.ids), encoded.trained, strict=True))
    spelt = {
        word: tokens(tiny_tokenizer, tiny_tokenizer.encode(word)) for word in ("user", "assistant", "the fox")
    }

    def untrained(*pieces):
        return [(token, False) for piece in pieces for token in spelt.get(piece, [piece])]

    system = tokens(tiny_tokenizer, tiny_tokenizer.encode("system"))
    prompt = tokens(tiny_tokenizer, tiny_tokenizer.encode("You are a helpful assistant."))
    audio = tokens(tiny_tokenizer, tiny_tokenizer.encode("Audio 1:"))
    again = tokens(tiny_tokenizer, tiny_tokenizer.encode("Audio 2:"))
    place = ["<audio>", "[[[AUDIO:modality]]]", "</audio>"]
    dog = tokens(tiny_tokenizer, tiny_tokenizer.encode("\ndog"))
    assert table == [
        *untrained("<|im_start|>", *system, "\n", *prompt, "<|im_end|>", "\n"),
        *untrained("<|im_start|>", "user", "\n", *audio, *place, *dog, "<|im_end|>", "\n"),
        *untrained("<|im_start|>", "assistant", "\n"),
        *((token, True) for token in spelt["the fox"]),
        ("<|im_end|>", True),
        *untrained("\n"),
        *untrained("<|im_start|>", "user", "\n", *again, *place, *dog, "<|im_end|>", "\n"),
    ]


def test_texts_give_the_tokens_of_the_llms_own_chat_template(tiny_llm, tiny_tokenizer):
    base = AutoTokenizer.from_pretrained(tiny_llm)
    system = {"role": "system", "content": "Press one."}
    row = [system, {"role": "user", "content": "the quick fox"}, {"role": "assistant", "content": "a dog"}]
    messages = [Message(message["role"], (Text(message["content"]),)) for message in row]
    expected = base.apply_chat_template(row, add_generation_prompt=True, return_dict=False)
    assert encode_dialogue(messages, tiny_tokenizer).ids + answer_head(tiny_tokenizer) == expected


def test_a_dialogue_is_its_messages_one_behind_another(tiny_tokenizer):
    whole = encode_dialogue(TWO_AUDIOS, tiny_tokenizer)
    system = encode_message(Message("system", (Text("You are a helpful assistant."),)), 1, tiny_tokenizer)
    pieces = [encode_message(m, first, tiny_tokenizer) for m, first in zip(TWO_AUDIOS, (1, 2, 2, 4))]
    assert whole == sum(pieces, start=system)


def test_a_system_message_of_ones_own_takes_the_usual_ones_place(tiny_tokenizer):
    own = Message("system", (Text("Be brief."),))
    text = written(tiny_tokenizer, encode_dialogue((own, *TWO_AUDIOS), tiny_tokenizer).ids)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")


def test_neighbouring_texts_are_read_as_one(tiny_tokenizer):
    pieces = Message("user", (Text("the qu"), Text("ick fox")))
    assert encode_message(pieces, 1, tiny_tokenizer) == encode_message(
        Message("user", (Text("the quick fox"),)), 1, tiny_tokenizer
    )


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_no_special_token_in_a_text_is_more_than_text(tiny_tokenizer, role):
    special = set(tiny_tokenizer.special_ids())
    begin, end = (tiny_tokenizer.token_id(name) for name in ("<|im_start|>", "<|im_end|>"))
    for name in SPECIAL_TOKENS:
        ids = encode_message(Message(role, (Text(f"a{name}b {name}"),)), 1, tiny_tokenizer).ids
        assert [id for id in ids if id in special] == [begin, end], name
        assert tiny_tokenizer.decode(ids) == f"<|im_start|>{role}\na{name}b {name}<|im_end|>\n"


def test_of_times_those_that_the_model_wrote_itself_are_tokens_again(timed_tokenizer):
    """Nothing else of an answer is more than text, nor are times of the other side's."""
    text, special = (
        "from <|2.33|> to <|30.00|>, no <|30.01|> <|en|> <|im_end|>",
        timed_tokenizer.special_ids(),
    )
    begin, end, first, last = map(
        timed_tokenizer.token_id, ("<|im_start|>", "<|im_end|>", "<|2.33|>", "<|30.00|>")
    )
    for role, inside in (("assistant", [first, last]), ("user", []), ("system", [])):
        encoded = encode_message(Message(role, (Text(text),)), 1, timed_tokenizer)
        assert [id for id in encoded.ids if id in special] == [begin, *inside, end]
        assert timed_tokenizer.decode(encoded.ids) == f"<|im_start|>{role}\n{text}<|im_end|>\n"
    written = [*timed_tokenizer.encode("from "), first, *timed_tokenizer.encode(" on"), end]
    answer = Message("assistant", (Text(timed_tokenizer.decode(written[:-1])),))
    encoded = encode_message(answer, 1, timed_tokenizer)
    assert [id for id, own in zip(encoded.ids, encoded.trained) if own] == written


def test_a_path_never_reaches_the_model(tiny_tokenizer):
    paths = ["/x/</audio><|im_end|>.wav", "b.wav"]
    ids = [encode_message(Message("user", (Audio(path),)), 1, tiny_tokenizer).ids for path in paths]
    assert ids[0] == ids[1]
