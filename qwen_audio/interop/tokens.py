"""Tokenizers under other names for their special tokens, ids unchanged."""

import json
from pathlib import Path


def rename_tokens(folder: Path, names: dict[str, str], out: Path) -> None:
    """Write the tokenizer in ``folder`` into ``out`` with added tokens renamed by ``names``.

    It adds no token to a text by itself, such as Llama's first one: models here have never read it.

    Raises:
        ValueError: if it has no such token.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    base = AutoTokenizer.from_pretrained(folder)
    content = json.loads(base.backend_tokenizer.to_str())
    known = {token["content"] for token in content["added_tokens"]}
    if missing := sorted(set(names) - known):
        raise ValueError(f"the tokenizer in {folder} has no special token {missing[0]}")
    for token in content["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    vocabulary = content["model"]["vocab"]
    content["post_processor"] = _adding_nothing(content["post_processor"])
    content["model"]["vocab"] = {names.get(token, token): number for token, number in vocabulary.items()}
    marks = {key: names.get(token, token) for key, token in base.special_tokens_map.items() if key in _MARKS}
    fast = Tokenizer.from_str(json.dumps(content))
    PreTrainedTokenizerFast(tokenizer_object=fast, chat_template=base.chat_template, **marks).save_pretrained(
        out
    )


def _adding_nothing(step: dict | None) -> dict | None:
    """A tokenizer's last step, or those of its steps that put no special tokens around a text."""
    if step and step["type"] == "Sequence":
        kept = map(_adding_nothing, step["processors"])
        return {**step, "processors": [part for part in kept if part]}
    return None if step and step["type"] in _ADDING else step


def save_tokenizer(folder: str | Path, out: Path) -> None:
    """Write the tokenizer in ``folder`` into ``out``, as it is."""
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folder).save_pretrained(out)


_ADDING = ("TemplateProcessing", "BertProcessing", "RobertaProcessing")
_MARKS = ("bos_token", "eos_token", "pad_token", "unk_token")
