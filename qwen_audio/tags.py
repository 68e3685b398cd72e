"""The special-token vocabulary: one list, in id order.

``RELEASED`` is the special-token list of the released Qwen-Audio tokenizer; there its ids run from
151643 to 155164. ``ADDED`` are this toolkit's own tokens and always come after, so no released id moves; it
grows at its end alone, so that a tokenizer made earlier has the same tokens but for the last ones.
With another base tokenizer the names and the order stay; the ids follow that tokenizer's vocabulary.
"""

import re

AUDIO_PAD = "[[[AUDIO:modality]]]"
AUDIO_BEGIN, AUDIO_END = "<audio>", "</audio>"
TIME_STEP = 0.01
MAX_TIME = 30.0
LANGUAGES = {  # code -> English name, both as Whisper has them; codes of the released vocabulary first
    "en": "English", "zh": "Chinese", "de": "German", "es": "Spanish", "ko": "Korean", "fr": "French",
    "ja": "Japanese", "it": "Italian", "zh_tr": "Traditional Chinese",
    "ru": "Russian", "cs": "Czech", "nl": "Dutch", "pl": "Polish", "sv": "Swedish", "bg": "Bulgarian",
    "ca": "Catalan", "ro": "Romanian", "pt": "Portuguese", "ar": "Arabic", "tr": "Turkish",
    "id": "Indonesian", "hi": "Hindi", "fi": "Finnish", "vi": "Vietnamese", "he": "Hebrew", "uk": "Ukrainian",
    "el": "Greek", "ms": "Malay", "da": "Danish", "hu": "Hungarian", "ta": "Tamil", "no": "Norwegian",
    "th": "Thai", "ur": "Urdu", "hr": "Croatian", "lt": "Lithuanian", "la": "Latin", "mi": "Maori",
    "ml": "Malayalam", "cy": "Welsh", "sk": "Slovak", "te": "Telugu", "fa": "Persian", "lv": "Latvian",
    "bn": "Bengali", "sr": "Serbian", "az": "Azerbaijani", "sl": "Slovenian", "kn": "Kannada", "et": "Estonian",
    "mk": "Macedonian", "br": "Breton", "eu": "Basque", "is": "Icelandic", "hy": "Armenian", "ne": "Nepali",
    "mn": "Mongolian", "bs": "Bosnian", "kk": "Kazakh", "sq": "Albanian", "sw": "Swahili", "gl": "Galician",
    "mr": "Marathi", "pa": "Punjabi", "si": "Sinhala", "km": "Khmer", "sn": "Shona", "yo": "Yoruba",
    "so": "Somali", "af": "Afrikaans", "oc": "Occitan", "ka": "Georgian", "be": "Belarusian", "tg": "Tajik",
    "sd": "Sindhi", "gu": "Gujarati", "am": "Amharic", "yi": "Yiddish", "lo": "Lao", "uz": "Uzbek",
    "fo": "Faroese", "ht": "Haitian Creole", "ps": "Pashto", "tk": "Turkmen", "nn": "Nynorsk", "mt": "Maltese",
    "sa": "Sanskrit", "lb": "Luxembourgish", "my": "Burmese", "bo": "Tibetan", "tl": "Tagalog",
    "mg": "Malagasy", "as": "Assamese", "tt": "Tatar", "haw": "Hawaiian", "ln": "Lingala", "ha": "Hausa",
    "ba": "Bashkir", "jw": "Javanese", "su": "Sundanese", "yue": "Cantonese",
}  # fmt: skip
UNSPACED = ("zh", "zh_tr", "ja", "yue", "th", "lo", "my", "km", "bo")  # written without spaces between words
_CODES = list(LANGUAGES)
_RELEASED_LANGUAGES, _FIRST_ADDED, _LATER_ADDED = _CODES[:9], _CODES[9:20], _CODES[20:]


def tag(name: str) -> str:
    """``en`` -> ``<|en|>``."""
    return f"<|{name}|>"


def time_tag(seconds: float) -> str:
    """The time token nearest to ``seconds``: 0.537 -> ``<|0.54|>``.

    Raises:
        ValueError: if ``seconds`` lies outside 0 to 30.
    """
    if not -TIME_STEP / 2 < seconds < MAX_TIME + TIME_STEP / 2:
        raise ValueError(
            f"time {seconds} s has no token: they run from 0 to {MAX_TIME:g} s; cut longer audio"
        )
    return tag(f"{abs(seconds):.2f}")


def _tags(names: str) -> list[str]:
    return [tag(name) for name in names.split()]


TIMES = [tag(f"{i / 100:.2f}") for i in range(3001)]
_TIME = re.compile(r"(<\|(?:[12]?\d\.\d\d|30\.00)\|>)", re.ASCII)  # these and no other

RELEASED = [
    *_tags("endoftext im_start im_end"),
    *(tag(f"extra_{i}") for i in range(205)),
    AUDIO_PAD,
    *_tags("startoftranscript startofanalysis translate transcribe caption keyword unknown"),
    *map(tag, _RELEASED_LANGUAGES),
    *_tags("notimestamps sil timestamps"),
    *TIMES,
    *_tags("caption_audiocaps caption_clotho audioset_ontology caption_plain itn wo_itn"),
    *_tags("startofentityvalue endofentityvalue startofentitytype endofentitytype"),
    *_tags("named_entity_recognition audio_grounding startofword endofword delim"),
    *_tags("emotion_recognition music_description note_analysis pitch"),
    *(tag(f"midi_pitch_{i}") for i in range(128)),
    *_tags("velocity"),
    *(tag(f"midi_velocity_{i}") for i in range(128)),
    *_tags("sonic instrument speaker_meta song_meta question answer choice"),
    *_tags("scene event vocal_classification speech_understanding scenario action entities speech_edit"),
    AUDIO_BEGIN,
    AUDIO_END,
]

ADDED = [
    *map(tag, _FIRST_ADDED),
    *_tags("language_identification instrument_classification"),
    *_tags("overlapped_speech dialect speaker_verification speaker_diarization keyword_spotting"),
    *_tags("gender age singer genre title"),
    *map(tag, _LATER_ADDED),
]

SPECIAL_TOKENS = RELEASED + ADDED
_SPECIAL = re.compile("|".join(map(re.escape, sorted(SPECIAL_TOKENS, key=len, reverse=True))))


def split_tags(text: str) -> list[str]:
    """Cut ``text`` at special tokens, keeping them: ``a<|en|>b`` -> ``["a", "<|en|>", "b"]``."""
    pieces, at = [], 0
    for match in _SPECIAL.finditer(text):
        pieces += [text[at : match.start()], match.group()]
        at = match.end()
    return [piece for piece in [*pieces, text[at:]] if piece]


def time_pieces(text: str) -> list[tuple[str, bool]]:
    """``text`` cut at time tokens, as (text, is_tag): ``at <|0.54|> s`` -> ``at ``, the time, `` s``."""
    return [(piece, place % 2 == 1) for place, piece in enumerate(_TIME.split(text)) if piece]
