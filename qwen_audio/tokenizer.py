"""Text and tags to token ids and back, over a Hugging Face tokenizer or a sentencepiece model trained here."""

import json
import re
from pathlib import Path

from qwen_audio.backbone import resolve
from qwen_audio.tags import AUDIO_PAD, SPECIAL_TOKENS, split_tags, tag, time_tag

META = "qwen_audio.json"  # beside the tokenizer's own files
AUDIO_LABEL = "Audio {}:"  # what a dialogue says before an audio, where META names nothing else
END = tag("endoftext")
WHISPER_MARK = tag("startofprev")  # only Whisper's vocabulary has it
SPACE_MARK = "\u2581"  # sentencepiece writes a space like this; where a text holds it, it is spelt in bytes
_KNOWN = frozenset(SPECIAL_TOKENS)


class Tokenizer:
    """A base tokenizer with the special tokens of qwen_audio/tags.py appended in their order.

    Tokens the base has already (``<|im_end|>`` in ChatML models) keep its ids. Text is never searched for
    tags: what looks like one in a user's text stays text.

    Attributes:
        base_size: ids below it have rows in the LLM's embedding; from it on stand ``new_tokens``.
        made_of: name of the LLM, as ``build_from_hub`` was given it; where META has none, the kind of tokenizer.
        audio_label: what stands before an audio in a dialogue, with a place for its number.
        answer_times: whether answers of a dialogue hold times as tokens, ``starts at <|2.33|> seconds``.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        folder = folder.parent if folder.name == META else folder  # ESPnet's packs name files alone
        if not (folder / META).exists():
            raise ValueError(f"{folder} holds no {META}; stage 2 makes it (qwen-audio tokenizer)")
        meta = json.loads((folder / META).read_text())
        self.folder = folder
        self.base_size: int = meta["base_size"]
        self.new_tokens: list[str] = meta["new_tokens"]
        self.made_of: str = meta.get("model", meta["kind"])
        self.audio_label: str = meta.get("audio_label", AUDIO_LABEL)
        self.answer_times: bool = meta.get("answer_times", False)
        self._base = _SentencePiece(folder) if meta["kind"] == "sentencepiece" else _HuggingFace(folder)
        found = {name: self._base.token_id(name) for name in SPECIAL_TOKENS}
        self._ids = {name: number for name, number in found.items() if number is not None}
        self.end, self.placeholder = self._ids[END], self._ids[AUDIO_PAD]
        self.pad = self.end
        self._special = frozenset(self.special_ids())

    def __len__(self) -> int:
        return self.base_size + len(self.new_tokens)

    def token_id(self, name: str) -> int:
        """Id of a special token such as ``<|en|>``.

        Raises:
            ValueError: if the tokenizer was made before there was such a token.
        """
        if name not in self._ids:
            raise ValueError(
                f"{self.folder} has no token {name}; make the tokenizer again (stage 2), and train with it"
            )
        return self._ids[name]

    def vocabulary(self) -> dict[str, int]:
        """Tokens of the base tokenizer, and their ids."""
        found = self._base.vocabulary().items()
        return {token: number for token, number in found if number < self.base_size or token not in _KNOWN}

    def special_ids(self) -> list[int]:
        """Ids that stand for no text: our special tokens, and the base tokenizer's own."""
        return sorted({*self._ids.values(), *self._base.special_ids()})

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; a look-alike of a special token in it is text too."""
        return self._base.encode(text)

    def encode_pieces(self, pieces: list[tuple[str, bool]]) -> list[int]:
        """Ids of ``(text, is_tag)`` pieces, as TaskSpec gives them."""
        ids = []
        for text, is_tag in pieces:
            ids += [self.token_id(text)] if is_tag else self.encode(text)
        return ids

    def token_bytes(self, number: int) -> bytes:
        """What a token adds to a text, in UTF-8: often part of a character; nothing for a special token."""
        return b"" if number in self._special else self._base.token_bytes(number)

    def decode(self, ids: list[int]) -> str:
        """Text of ids, special tokens written out; the end-of-text token and what follows is left off."""
        ids = list(ids)
        if self.end in ids:
            ids = ids[: ids.index(self.end)]
        return self._base.decode(ids)


class _HuggingFace:
    """The fast tokenizer's own file: it loads in a tenth of a second, importing transformers takes ten."""

    def __init__(self, folder: Path):
        from tokenizers import Tokenizer as Fast

        self._tokenizer = Fast.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.encode_special_tokens = True  # special tokens in a text are text
        byte_level = "ByteLevel" in json.dumps(json.loads(self._tokenizer.to_str())["decoder"])
        self._byte_level = byte_alphabet() if byte_level else {}

    def token_id(self, name: str) -> int | None:
        return self._tokenizer.token_to_id(name)

    def vocabulary(self) -> dict[str, int]:
        return self._tokenizer.get_vocab(with_added_tokens=True)

    def special_ids(self) -> list[int]:
        return [
            number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special
        ]

    def token_bytes(self, number: int) -> bytes:
        token = self._tokenizer.id_to_token(number) or ""
        if self._byte_level:
            return bytes(self._byte_level.get(character, 32) for character in token)
        return _piece_bytes(token)

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)


class _SentencePiece:
    def __init__(self, folder: Path):
        import sentencepiece

        self._model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
        self._block = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]

    def token_id(self, name: str) -> int | None:
        number = self._model.piece_to_id(name)
        return None if self._model.is_unknown(number) else number

    def vocabulary(self) -> dict[str, int]:
        return {self._model.id_to_piece(number): number for number in range(len(self._model))}

    def special_ids(self) -> list[int]:
        model = self._model
        return [
            number for number in range(len(model)) if model.is_control(number) or model.is_unknown(number)
        ]

    def token_bytes(self, number: int) -> bytes:
        return _piece_bytes(self._model.id_to_piece(number))

    def encode(self, text: str) -> list[int]:
        ids = []
        for piece in split_tags(text):
            cut = 1 if piece in _KNOWN else 0  # in halves, a look-alike is no symbol
            for part in [piece[:cut], *re.split(f"({SPACE_MARK})", piece[cut:])]:
                ids += self._block if part == SPACE_MARK else self._model.encode(part)
        return ids

    def decode(self, ids: list[int]) -> str:
        return self._model.decode(ids)


def byte_alphabet() -> dict[str, int]:
    """The characters that byte-level BPE (GPT-2) writes for the 256 bytes: printable ones stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _piece_bytes(piece: str) -> bytes:
    """A sentencepiece piece: ``<0xE4>`` is that byte, the mark of a space a space."""
    if re.fullmatch("<0x[0-9A-F]{2}>", piece):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE_MARK, " ").encode()


def build_from_hub(model: str, out: str | Path) -> None:
    """Write the tokenizer of LLM ``model`` (hub name or folder) with our special tokens appended into ``out``.

    Tokens of it that the LLM's embedding has no rows for (Gemma 3 has one) are new ones too, before ours.
    """
    from transformers import AddedToken

    from qwen_audio.interop.llm import embedding_rows

    tokenizer = read_base(model)
    known = tokenizer.get_vocab()
    base_size = min(len(tokenizer), embedding_rows(model) or len(tokenizer))
    surplus = sorted((token for token in known if known[token] >= base_size), key=known.get)
    new = [name for name in SPECIAL_TOKENS if name not in known]
    tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in new])
    tokenizer.save_pretrained(out)
    _write_meta(out, "hugging_face", base_size, surplus + new, model=model)


def read_base(model: str):
    """The tokenizer of LLM ``model``, as transformers loads one, with all tokens that its embedding has rows for."""
    from qwen_audio.interop.llm import read_tokenizer

    tokenizer = read_tokenizer(model)
    _add_whisper_times(tokenizer, resolve(model))
    return tokenizer


def set_dialogue_form(folder: str | Path, **form) -> None:
    """Let dialogues be written so by the tokenizer of ``folder``: its ``audio_label``, its ``answer_times``."""
    file = Path(folder) / META
    meta = json.loads(file.read_text()) | form
    file.write_text(json.dumps(meta, ensure_ascii=False) + "\n")


def _add_whisper_times(tokenizer, model: str) -> None:
    """Name the last rows of Whisper's embedding, times in steps of 0.02 s; its tokenizer files may leave them out."""
    from transformers import AddedToken, AutoConfig

    vocabulary = tokenizer.get_vocab()
    if WHISPER_MARK in vocabulary and time_tag(0) not in vocabulary:
        count = AutoConfig.from_pretrained(model).vocab_size - len(tokenizer)
        names = [time_tag(0.02 * i) for i in range(count)]
        tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def train_sentencepiece(sentences, out: str | Path, pieces: int = 1000) -> None:
    """Train a sentencepiece model on ``sentences`` with every special token as a user-defined symbol.

    Args:
        pieces: at most this many pieces besides the special tokens; fewer where the text is small.

    Raises:
        ValueError: if there are more characters than pieces, or no text.
    """
    import sentencepiece

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_prefix=str(out / "spm"),
            model_type="unigram",
            vocab_size=pieces + len(SPECIAL_TOKENS) + 256 + 1,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=1.0,
            add_dummy_prefix=False,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            user_defined_symbols=SPECIAL_TOKENS,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        message = f"no sentencepiece model with tokenizer_conf.pieces {pieces}: {error}; try more pieces"
        raise ValueError(message) from None
    size = sentencepiece.SentencePieceProcessor(model_file=str(out / "spm.model")).get_piece_size()
    _write_meta(out, "sentencepiece", size, [])


def _write_meta(out: str | Path, kind: str, base_size: int, new: list[str], **more: str) -> None:
    meta = {"kind": kind, **more, "base_size": base_size, "new_tokens": new}
    (Path(out) / META).write_text(json.dumps(meta, ensure_ascii=False) + "\n")
