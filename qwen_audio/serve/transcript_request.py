"""Requests of OpenAI's transcription API: the fields of a form, checked."""

from collections.abc import Mapping
from dataclasses import dataclass

from qwen_audio.registry import nearest
from qwen_audio.tags import LANGUAGES

SUBTITLES = ("srt", "vtt")
TRANSCRIPTS = ("json", "text", "verbose_json", *SUBTITLES)
LANGUAGE = "en"  # of a request that names none

# What clients send by habit and nothing here can follow: it is told of.
WITHOUT_EFFECT = {
    "prompt": "nothing is read before the recording",
    "temperature": "words are searched for, not drawn",
    "timestamp_granularities[]": "verbose_json has the times of words",
}
KNOWN = ("file", "model", "language", "response_format", "stream", *WITHOUT_EFFECT)


@dataclass(frozen=True)
class TranscriptRequest:
    """How a recording is to be transcribed.

    Attributes:
        language: code of the language spoken.
        form: one of TRANSCRIPTS.
        notes: what of the request had no effect.
    """

    language: str
    form: str
    notes: tuple[str, ...]


def parse_transcript(fields: Mapping[str, str]) -> TranscriptRequest:
    """The request of a form of /v1/audio/transcriptions; the recording itself is the caller's.

    Raises:
        ValueError: naming the field that is wrong, and what to write.
    """
    for key in fields:
        if key not in KNOWN:
            raise ValueError(f"{key} is not supported{nearest(key, KNOWN)}")
    if fields.get("stream", "false").lower() != "false":
        raise ValueError(f"stream is {fields['stream']!r}; a transcript comes whole here, leave it out")
    language, form = fields.get("language") or LANGUAGE, fields.get("response_format") or TRANSCRIPTS[0]
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r}{nearest(language, LANGUAGES)}")
    if form not in TRANSCRIPTS:
        raise ValueError(f"response_format {form!r}{nearest(form, TRANSCRIPTS)}")
    notes = [f"{key} has no effect: {why}" for key, why in WITHOUT_EFFECT.items() if key in fields]
    return TranscriptRequest(language, form, tuple(notes))
