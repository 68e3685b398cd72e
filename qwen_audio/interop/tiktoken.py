"""A tiktoken vocabulary as a fast tokenizer with the same ids."""

import base64
import binascii
from pathlib import Path

from qwen_audio.tokenizer import byte_alphabet

QWEN_PIECES = (  # how Qwen's tokenizer cuts text before byte pairs are merged
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def read_ranks(file: Path) -> dict[bytes, int]:
    """Byte strings by id: a line is ``base64 id``.

    Raises:
        ValueError: for a line of another form, or ids that are not 0 to N - 1; with file and line.
    """
    ranks = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise ValueError(f"{file}:{number}: {line[:60]!r} is not a token in base64 and its id") from None
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"{file}: the ids of its {len(ranks)} tokens are not 0 to {len(ranks) - 1}")
    return ranks


def convert(file: Path, specials: list[str], out: Path) -> None:
    """Write a tokenizer of ``file`` with ``specials`` after its last id into ``out``, as transformers saves one.

    tiktoken joins any two neighbours whose union is a token, the lowest id first. So every way to cut a token
    in two known ones is a merge here, in the order of the ids.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    ranks = read_ranks(file)
    letter = {byte: character for character, byte in byte_alphabet().items()}
    spelt = {token: "".join(letter[byte] for byte in token) for token in ranks}
    merges = [
        (spelt[token[:cut]], spelt[token[cut:]])
        for token in sorted(ranks, key=ranks.get)
        for cut in range(1, len(token))
        if token[:cut] in ranks and token[cut:] in ranks
    ]
    vocabulary = {spelt[token]: rank for token, rank in ranks.items()}
    fast = Tokenizer(BPE(vocabulary, merges, ignore_merges=True))
    fast.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(QWEN_PIECES), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    fast.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    end = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=fast, **end).save_pretrained(out)
