import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from qwen_audio.decoder.hf_causal_lm import HfCausalLm
from qwen_audio.tags import AUDIO_PAD, SPECIAL_TOKENS, TIMES
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer, build_from_hub, train_sentencepiece

OWN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]  # what the tiny LLM's tokenizer has already
TAG_LIKE = st.sampled_from([*SPECIAL_TOKENS[:300], *TIMES[::500], "<audio>", "</audio>"])
PIECE_LIKE = st.sampled_from(["<unk>", "<0x41>", "<s>", "\u2581", "\u2581the", "<|", "|>", "[[[", " ", "\n"])
TEXT = st.lists(st.one_of(TAG_LIKE, PIECE_LIKE, st.text()), max_size=5).map("".join)
SENTENCES = ["please leave a message after the tone", "a dog barks", "un perro ladra", "狗在叫", "ü ä ö"]


@pytest.fixture(scope="module")
def sentencepiece_tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentencepiece")
    train_sentencepiece(SENTENCES * 5, folder, pieces=60)
    return Tokenizer(folder)


@pytest.fixture(params=["hugging_face", "sentencepiece"])
def tokenizer(request, tiny_tokenizer):
    return (
        tiny_tokenizer
        if request.param == "hugging_face"
        else request.getfixturevalue("sentencepiece_tokenizer")
    )


def test_an_llm_keeps_its_ids_and_new_tokens_follow_in_the_lists_order(tiny_tokenizer):
    assert [tiny_tokenizer.token_id(name) for name in OWN] == [0, 1, 2]
    new = [name for name in SPECIAL_TOKENS if name not in OWN]
    assert tiny_tokenizer.new_tokens == new
    assert [tiny_tokenizer.token_id(name) for name in new] == list(range(320, 320 + len(new)))
    assert tiny_tokenizer.base_size == 320 and len(tiny_tokenizer) == 320 + len(new)


def test_sentencepiece_holds_the_tags_in_order_after_unk(sentencepiece_tokenizer):
    ids = [sentencepiece_tokenizer.token_id(name) for name in SPECIAL_TOKENS]
    assert ids == list(range(1, len(SPECIAL_TOKENS) + 1))
    assert (
        sentencepiece_tokenizer.new_tokens == [] and len(sentencepiece_tokenizer) > len(SPECIAL_TOKENS) + 256
    )


def test_end_padding_and_placeholder_are_special_tokens(tokenizer):
    assert tokenizer.end == tokenizer.pad == tokenizer.token_id("<|endoftext|>")
    assert tokenizer.placeholder == tokenizer.token_id(AUDIO_PAD)


@given(text=TEXT)
def test_an_llms_tokenizer_gives_any_text_back(tiny_tokenizer, text):
    assert tiny_tokenizer.decode(tiny_tokenizer.encode(text)) == text


@given(text=TEXT)
def test_sentencepiece_gives_any_text_back(sentencepiece_tokenizer, text):
    assert sentencepiece_tokenizer.decode(sentencepiece_tokenizer.encode(text)) == text


@given(text=TEXT)
def test_no_text_makes_a_special_token(tiny_tokenizer, sentencepiece_tokenizer, text):
    for tokenizer in (tiny_tokenizer, sentencepiece_tokenizer):
        special = {tokenizer.token_id(name) for name in SPECIAL_TOKENS}
        ids = tokenizer.encode(text)
        assert not special.intersection(ids) and all(0 <= id < len(tokenizer) for id in ids)


@given(parts=st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS[1:]).map(lambda t: (t, True)),
                                TEXT.map(lambda t: (t, False))), max_size=6))  # fmt: skip
def test_tags_are_one_id_each_and_texts_none_of_theirs(tiny_tokenizer, sentencepiece_tokenizer, parts):
    for tokenizer in (tiny_tokenizer, sentencepiece_tokenizer):
        special = {tokenizer.token_id(name) for name in SPECIAL_TOKENS}
        ids = tokenizer.encode_pieces(parts)
        assert [id for id in ids if id in special] == [
            tokenizer.token_id(text) for text, is_tag in parts if is_tag
        ]


def test_text_after_a_tag_reads_back_as_it_was(tokenizer):
    pieces = [("<|0.00|>", True), (" one", False), ("<|0.40|>", True), ("<|0.40|>", True), ("two ", False)]
    assert tokenizer.decode(tokenizer.encode_pieces(pieces)) == "<|0.00|> one<|0.40|><|0.40|>two "


def test_decoding_stops_at_the_end_token(tokenizer):
    ids = tokenizer.encode("a dog")
    assert tokenizer.decode([*ids, tokenizer.end, *ids]) == "a dog"


@pytest.mark.parametrize("task", load_tasks())
def test_a_task_survives_tokens(tokenizer, task):
    spec = load_tasks()[task]
    special = {"text": "un <|perro|> <|en|>", "instrument": "a <audio> b"}
    row = spec.sample() | {name: value for name, value in special.items() if name in spec.fields}
    for pieces in (spec.prompt_pieces(row), spec.target_pieces(row)):
        text = tokenizer.decode(tokenizer.encode_pieces(pieces))
        assert text == "".join(piece for piece, _ in pieces)
    assert spec.parse(text).items() <= row.items()


def test_a_tokenizer_made_before_a_tag_was_added_serves_all_but_that_tag(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("qwen_audio.tokenizer.SPECIAL_TOKENS", [*SPECIAL_TOKENS, "<|of_tomorrow|>"])
    old = Tokenizer(tokenizer.folder)
    assert old.special_ids() == tokenizer.special_ids() and old.token_id("<|en|>") == tokenizer.token_id(
        "<|en|>"
    )
    with pytest.raises(
        ValueError, match=r"has no token <\|of_tomorrow\|>; make the tokenizer again \(stage 2\)"
    ):
        old.token_id("<|of_tomorrow|>")


@pytest.mark.parametrize("kind", ["hugging_face", "sentencepiece"])
def test_a_tokenizer_of_before_the_later_languages_reads_and_writes_as_it_did(
    kind, tiny_llm, tmp_path, monkeypatch
):
    known = SPECIAL_TOKENS[: SPECIAL_TOKENS.index("<|title|>") + 1]
    with monkeypatch.context() as then:
        then.setattr("qwen_audio.tokenizer.SPECIAL_TOKENS", known)
        if kind == "sentencepiece":
            train_sentencepiece(SENTENCES * 5, tmp_path, pieces=60)
        else:
            build_from_hub(str(tiny_llm), tmp_path)
        old = Tokenizer(tmp_path)
    new = Tokenizer(tmp_path)
    pieces = [piece for name in known[1:] for piece in ((name, True), ("un perro ladra 狗", False))]
    ids = old.encode_pieces(pieces)
    assert new.encode_pieces(pieces) == ids and new.decode(ids) == old.decode(ids)
    assert (len(new), new.special_ids()) == (len(old), old.special_ids())
    with pytest.raises(ValueError, match=r"has no token <\|hi\|>; make the tokenizer again"):
        new.token_id("<|hi|>")


def test_specials_of_the_llm_that_are_no_tags_stay_text_too(tiny_llm, tmp_path):
    base = AutoTokenizer.from_pretrained(tiny_llm)
    base.add_special_tokens({"additional_special_tokens": ["<s>"]})
    base.save_pretrained(tmp_path / "base")
    build_from_hub(str(tmp_path / "base"), tmp_path / "out")
    tokenizer = Tokenizer(tmp_path / "out")
    assert tokenizer.base_size == 321  # <s> is the last of the base
    assert 320 not in tokenizer.encode("a<s>b") and tokenizer.decode(tokenizer.encode("a<s>b")) == "a<s>b"


def test_tokens_that_the_embedding_has_no_rows_for_are_new_too(tiny_tokenizer, tiny_llm, tmp_path):
    """As Gemma 3's last one."""
    shutil.copytree(tiny_llm, tmp_path / "llm")
    base = AutoTokenizer.from_pretrained(tiny_llm)
    base.add_special_tokens({"additional_special_tokens": [f"<more{i}>" for i in range(10)]})  # 8 spare rows
    base.save_pretrained(tmp_path / "llm")
    build_from_hub(str(tmp_path / "llm"), tmp_path / "out")
    tokenizer = Tokenizer(tmp_path / "out")
    assert tokenizer.base_size == 328
    assert tokenizer.new_tokens == ["<more8>", "<more9>", *tiny_tokenizer.new_tokens]
    first, last = (tokenizer.token_id(tiny_tokenizer.new_tokens[i]) for i in (0, -1))
    assert (first, last) == (330, len(tokenizer) - 1)
    assert tokenizer.vocabulary() == base.get_vocab()  # by which sets are known to be made for an LLM
    decoder = HfCausalLm(tokenizer.base_size, tokenizer.new_tokens, str(tmp_path / "llm"))
    assert torch.equal(decoder.embed(torch.tensor([328, last])), decoder.new_rows[[0, -1]])


def test_a_folder_without_tokenizer_names_the_stage_that_makes_one(tmp_path):
    with pytest.raises(ValueError, match="holds no qwen_audio.json; stage 2 makes it"):
        Tokenizer(tmp_path)


def test_the_folder_says_which_tokens_are_new(tiny_tokenizer):
    meta = json.loads((tiny_tokenizer.folder / "qwen_audio.json").read_text())
    assert meta["base_size"] == tiny_tokenizer.base_size and meta["new_tokens"] == tiny_tokenizer.new_tokens


@pytest.mark.parametrize("sentences", [[], [chr(0x4E00 + i) for i in range(100)]])
def test_a_sentencepiece_model_that_cannot_be_trained_names_the_option(tmp_path, sentences):
    with pytest.raises(
        ValueError, match="no sentencepiece model with tokenizer_conf.pieces 40: .*; try more pieces"
    ):
        train_sentencepiece(sentences, tmp_path, pieces=40)


@given(text=TEXT)
def test_the_bytes_of_tokens_join_to_the_text(tiny_tokenizer, sentencepiece_tokenizer, text):
    for tokenizer in (tiny_tokenizer, sentencepiece_tokenizer):
        joined = b"".join(map(tokenizer.token_bytes, tokenizer.encode(text)))
        assert joined == text.encode()
