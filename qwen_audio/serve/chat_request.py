"""Requests of OpenAI's chat API: JSON in, a question and what was said before it out."""

import base64
import binascii
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.dialogue import SYSTEM, USER, Audio, Message, Text, parse_dialogue
from qwen_audio.ffmpeg import any_blocks
from qwen_audio.registry import nearest

# What clients send by habit, and what an answer that is searched for, not drawn, cannot follow: it is told of.
WITHOUT_EFFECT = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
SILENT = (
    "model user store metadata stream_options service_tier parallel_tool_calls safety_identifier"
    " prompt_cache_key prompt_cache_options prompt_cache_retention"
).split()
ONLY = {"n": 1, "logprobs": False, "modalities": ["text"], "response_format": {"type": "text"}}
LENGTHS = ("max_completion_tokens", "max_tokens")
KNOWN = ("messages", "stream", *LENGTHS, *ONLY, *WITHOUT_EFFECT, *SILENT)
UNSUPPORTED = (  # of OpenAI's keys: whoever writes one of them means no other
    "audio function_call functions logit_bias moderation prediction reasoning_effort stop tool_choice tools"
    " top_logprobs verbosity web_search_options"
).split()
DEVELOPER = "developer"  # OpenAI's newer name of the system's role


@dataclass(frozen=True)
class Sound:
    """Audio as it was sent: the bytes of a file of any format, and where in the request it stands."""

    data: bytes
    where: str


@dataclass(frozen=True)
class Said:
    """A message of a request.

    Attributes:
        key: hash of its role and contents: the same message has the same.
    """

    role: str
    parts: tuple[str | Sound, ...]
    key: str

    def message(self, max_seconds: float) -> Message:
        """With its audio decoded. Raises: ValueError if that cannot be read, or is longer than ``max_seconds``."""
        return Message(
            self.role,
            tuple(
                Text(part) if isinstance(part, str) else Audio(wave_of(part, max_seconds))
                for part in self.parts
            ),
        )


@dataclass(frozen=True)
class ChatRequest:
    """A question and all before it.

    Attributes:
        said: in turn, the user's question last.
        max_new_tokens: None leaves it to the server.
        notes: what of the request had no effect.
    """

    said: tuple[Said, ...]
    stream: bool
    max_new_tokens: int | None
    notes: tuple[str, ...]


def parse_chat(body) -> ChatRequest:
    """The request of a body of /v1/chat/completions.

    Texts and audio are parts of a user's message: ``{"type": "text", "text": …}``, OpenAI's ``{"type":
    "input_audio", "input_audio": {"data": BASE64, "format": "wav"}}``, or ``{"type": "audio_url", "audio_url": {"url":
    "data:audio/wav;base64,…"}}``. Paths and addresses are refused: a server opens nothing that a client names.

    Raises:
        ValueError: naming the key that is wrong, and what to write.
    """
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object; send one with 'messages'")
    body = {key: value for key, value in body.items() if value is not None}  # null is absent, as in messages
    for key in body:
        if key not in KNOWN:
            raise ValueError(f"{key} is not supported{'' if key in UNSUPPORTED else nearest(key, KNOWN)}")
        if key in ONLY and body[key] != ONLY[key]:
            raise ValueError(f"{key} can only be {json.dumps(ONLY[key])} here, or be left out")
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise ValueError(f"stream is {stream!r}; write true or false")
    notes = [
        f"{key} has no effect: answers are searched for, not drawn" for key in WITHOUT_EFFECT if key in body
    ]
    sounds: list[Sound] = []
    messages = body.get("messages")
    if isinstance(messages, list):
        if any(isinstance(message, dict) and message.get("name") is not None for message in messages):
            notes.append("name of a message has no effect: the model reads who speaks by role alone")
        messages = [_own(message, f"messages[{place}]", sounds) for place, message in enumerate(messages)]
    dialogue = parse_dialogue({"id": "request", "messages": messages})
    said = tuple(_said(message, sounds) for message in dialogue.messages)
    if said[-1].role != USER:
        raise ValueError(
            f"the last message is the {said[-1].role}'s; the last one must be the user's question"
        )
    return ChatRequest(said, stream, _length(body), tuple(notes))


def wave_of(sound: Sound, max_seconds: float) -> np.ndarray:
    """(N,) float32 in ±1 at 16 kHz of a file that was sent.

    Raises:
        ValueError: naming its place in the request, if it is no audio or longer than ``max_seconds``.
    """
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(sound.data)
    try:
        blocks, samples = [], 0
        for block in any_blocks(file.name):
            blocks.append(block)
            samples += len(block)
            if samples > max_seconds * SAMPLE_RATE:
                raise ValueError(
                    f"{sound.where} is longer than {max_seconds:g} s, which is the most that is taken"
                )
    except ValueError as error:
        raise ValueError(str(error).replace(file.name, sound.where)) from None
    finally:
        os.unlink(file.name)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _length(body: dict) -> int | None:
    given = [key for key in LENGTHS if key in body]
    for key in given:
        if not isinstance(body[key], int) or isinstance(body[key], bool) or body[key] < 1:
            raise ValueError(f"{key} is {body[key]!r}; write a whole number from 1 on")
    return body[given[0]] if given else None


def said_text(role: str, text: str) -> Said:
    """A message of one text."""
    return Said(role, (text,), _key(role, (text,)))


def _said(message: Message, sounds: list[Sound]) -> Said:
    parts = tuple(part.text if isinstance(part, Text) else sounds[int(part.audio)] for part in message.parts)
    return Said(message.role, parts, _key(message.role, parts))


def _own(message, where: str, sounds: list[Sound]):
    """``message`` in the layout of data/dialogue.py, which checks it: its audios go into ``sounds``, by number."""
    if not isinstance(message, dict):
        return message
    message = {key: value for key, value in message.items() if key != "name"}
    if message.get("role") == DEVELOPER:
        message["role"] = SYSTEM
    if not isinstance(message.get("content"), list):
        return message
    parts = []
    for place, part in enumerate(message["content"]):
        if not isinstance(part, dict) or part.get("type") != "text":
            sounds.append(_sound(part, f"{where}.content[{place}]"))
            part = {"type": "audio", "audio": str(len(sounds) - 1)}
        parts.append(part)
    return message | {"content": parts}


def _sound(part, where: str) -> Sound:
    kind = part.get("type") if isinstance(part, dict) else None
    held = part.get(kind) if kind in ("input_audio", "audio_url") else None
    if kind == "input_audio":
        return _decoded(held.get("data") if isinstance(held, dict) else None, f"{where}.input_audio.data")
    if kind == "audio_url":
        url = held.get("url") if isinstance(held, dict) else held
        head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
        if not comma or not head.startswith("data:") or not head.endswith(";base64"):
            raise ValueError(
                f"{where}.audio_url is no data: URL; nothing that a client names is opened here: send the audio itself,"
                " data:audio/wav;base64,…"
            )
        return _decoded(data, f"{where}.audio_url")
    raise ValueError(f"{where}.type is {kind!r}{nearest(kind, ('text', 'input_audio', 'audio_url'))}")


def _decoded(data, where: str) -> Sound:
    try:
        found = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise ValueError(f"{where} is no base64; write the bytes of a wav, flac, mp3 or ogg file so")
    return Sound(found, where)


def _key(role: str, parts: Sequence[str | Sound]) -> str:
    digest = hashlib.sha256(role.encode())
    for part in parts:
        kind, data = (b"text", part.encode()) if isinstance(part, str) else (b"audio", part.data)
        digest.update(kind + len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
