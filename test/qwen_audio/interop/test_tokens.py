import pytest
from tokenizers.processors import ByteLevel, Sequence, TemplateProcessing
from transformers import AutoTokenizer

from qwen_audio.interop.tokens import rename_tokens

BEGIN = TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])


@pytest.mark.parametrize("step", [BEGIN, Sequence([ByteLevel(), BEGIN])])
def test_no_first_token_is_added_as_models_here_have_learned_none(tiny_llm, tmp_path, step):
    """Llama's tokenizers add one, alone (2, Mistral) or as one of several steps (3)."""
    base = AutoTokenizer.from_pretrained(tiny_llm)
    base.backend_tokenizer.post_processor = step
    base.save_pretrained(tmp_path / "llm")
    text = "<|im_end|>press one, 1234"
    plain = base(text, add_special_tokens=False).input_ids
    assert AutoTokenizer.from_pretrained(tmp_path / "llm")(text).input_ids == [0, *plain]
    rename_tokens(tmp_path / "llm", {"<|im_end|>": "<|end|>"}, tmp_path / "out")
    found = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert found(text.replace("<|im_end|>", "<|end|>")).input_ids == plain
    assert found.decode(plain[1:]) == "press one, 1234"
