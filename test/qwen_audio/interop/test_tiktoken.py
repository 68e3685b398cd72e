import unicodedata

import pytest
import qwen_layouts as layouts
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from qwen_audio.interop.tiktoken import QWEN_PIECES, convert, read_ranks

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = [
    "please leave",
    " a message",
    "don't",
    "1234",
    "\u4f60\u597d",
    "e\u0301",
    "\n\n",
    "  x",
    "<|im_end|>",
    "the",
    "\U0001f600",
]


@pytest.fixture(scope="module")
def ranks(tiny_llm):
    return layouts.ranks_of(tiny_llm)


@pytest.fixture(scope="module")
def fast(ranks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fast")
    layouts.write_tiktoken(folder / "qwen.tiktoken", ranks)
    convert(folder / "qwen.tiktoken", SPECIALS, folder / "out")
    return folder / "out"


def tiktoken_ids(text: str, ranks: dict[bytes, int]) -> list[int]:
    """tiktoken's algorithm by hand: of all neighbours whose union is a token, join the lowest, the first of equals."""
    ids = []
    for piece in regex.findall(QWEN_PIECES, unicodedata.normalize("NFC", text)):
        parts = [bytes([byte]) for byte in piece.encode()]
        if piece.encode() in ranks:
            parts = [piece.encode()]
        while True:
            joined = [(ranks[a + b], n) for n, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ranks]
            if not joined:
                break
            at = min(joined)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        ids += [ranks[part] for part in parts]
    return ids


@given(text=st.lists(st.one_of(st.sampled_from(WORDS), st.text()), max_size=6).map("".join))
def test_text_takes_tiktokens_ids(fast, ranks, text):
    tokenizer = Tokenizer.from_file(str(fast / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # a look-alike is text
    assert tokenizer.encode(text).ids == tiktoken_ids(text, ranks)


def test_special_tokens_follow_the_ranks(fast, ranks):
    tokenizer = AutoTokenizer.from_pretrained(fast)
    assert tokenizer.convert_tokens_to_ids(SPECIALS) == [len(ranks), len(ranks) + 1, len(ranks) + 2]
    assert len(tokenizer) == len(ranks) + 3 and tokenizer.eos_token == "<|endoftext|>"


def test_ranks_are_read_as_they_are_written(ranks, tmp_path):
    layouts.write_tiktoken(tmp_path / "x.tiktoken", ranks)
    assert read_ranks(tmp_path / "x.tiktoken") == ranks


@pytest.mark.parametrize("lines, fault", [
    (["QQ== 0", "QQ==1"], r"x.tiktoken:2: b'QQ==1' is not a token in base64 and its id"),
    (["QQ== 0", "Q! 1"], r"x.tiktoken:2"),
    (["QQ== 0", "Qg== 2"], "ids of its 2 tokens are not 0 to 1"),
])  # fmt: skip
def test_a_broken_vocabulary_is_named_by_file_and_line(lines, fault, tmp_path):
    (tmp_path / "x.tiktoken").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=fault):
        read_ranks(tmp_path / "x.tiktoken")
