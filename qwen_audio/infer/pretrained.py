"""A pretrained Whisper as a model of this toolkit, without any training: it transcribes and tells word times."""

import tempfile

from transformers import AutoConfig, GenerationConfig

from qwen_audio.audio import HOP, SAMPLE_RATE
from qwen_audio.backbone import resolve
from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, check_config, merge
from qwen_audio.infer.load import LOAD_DTYPES, LoadedModel
from qwen_audio.registry import nearest
from qwen_audio.tags import AUDIO_PAD, LANGUAGES, tag
from qwen_audio.task_fields import Pieces
from qwen_audio.tokenizer import Tokenizer, build_from_hub

_LANGUAGE_TAGS = {tag(code): tag(code.partition("_")[0]) for code in LANGUAGES}  # ours -> Whisper's


class WhisperTokenizer(Tokenizer):
    """Whisper's tokenizer with prompts as Whisper was trained on them.

    Of a prompt only Whisper's own tags are kept, the language once: ``<|startoftranscript|><|es|><|transcribe|>
    <|notimestamps|>``; an English-only Whisper has neither language nor task. Text begins with a space.

    Args:
        multilingual: whether the model knows more than English.
    """

    def __init__(self, folder, multilingual: bool):
        super().__init__(folder)
        self.multilingual = multilingual

    def encode_pieces(self, pieces: Pieces) -> list[int]:
        """As in Tokenizer. Raises: ValueError for a language that the model does not know."""
        ids, language = [], None
        for text, is_tag in pieces:
            if not is_tag:
                ids += self.encode(f" {text.strip()}")
            elif text in _LANGUAGE_TAGS:
                known = self._language(text)
                ids += [self.token_id(known)] if self.multilingual and language is None else []
                language = known
            elif text == AUDIO_PAD or (self.token_id(text) < self.base_size and self._reads(text)):
                ids.append(self.token_id(text))
        return ids

    def _reads(self, name: str) -> bool:
        return self.multilingual or name not in (tag("transcribe"), tag("translate"))

    def _language(self, name: str) -> str:
        known = _LANGUAGE_TAGS[name]
        if self.token_id(known) >= self.base_size or not (self.multilingual or known == tag("en")):
            raise ValueError(
                f"{name}: this Whisper does not know the language"
                + ("" if self.multilingual else "; take a multilingual one, such as openai/whisper-base")
            )
        return known


def load_whisper(
    model: str, device: str = "cpu", dtype: str = "float32", quantize: str | None = None
) -> LoadedModel:
    """Whisper ``model`` with the ``attention`` timestamp head; its one task is asr.

    Every clip is heard with silence behind it up to 30 s, as Whisper was trained.

    Args:
        model: hub name or folder of a transformers Whisper model.
        dtype: ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        ValueError: if the model is no Whisper, the dtype unknown, or ``quantize`` given: there is no LLM.
    """
    if quantize is not None:
        raise ValueError(f"quantize {quantize}: {model} is a Whisper, which holds no LLM; leave it out")
    if dtype not in LOAD_DTYPES:
        raise ValueError(f"dtype {dtype!r}{nearest(dtype, LOAD_DTYPES)}")
    shape = AutoConfig.from_pretrained(resolve(model))
    if shape.model_type != "whisper":
        raise ValueError(f"{model} is a {shape.model_type}, no Whisper; name one such as openai/whisper-base")
    generation = GenerationConfig.from_pretrained(resolve(model))
    window = 2 * shape.max_source_positions * HOP / SAMPLE_RATE  # seconds
    parts = {
        "frontend_conf": {"n_mels": shape.num_mel_bins},
        "encoder": "whisper",
        "encoder_conf": {"model": model, "pad_to": window, "keep_padding": True},
        "adapter": "identity",
        "decoder": "whisper",
        "decoder_conf": {"model": model, "suppress": list(generation.suppress_tokens or [])},
        "timestamp_head": "attention",
    }
    config = merge(DEFAULTS, parts)
    check_config(config)
    with tempfile.TemporaryDirectory() as folder:
        build_from_hub(model, folder)
        tokenizer = WhisperTokenizer(folder, getattr(generation, "is_multilingual", True))
    built = build_model(config, tokenizer)
    built.requires_grad_(False).eval().to(device)
    built.decoder.to(LOAD_DTYPES[dtype])
    return LoadedModel(built, tokenizer, config, ["asr"], device, LOAD_DTYPES[dtype])
