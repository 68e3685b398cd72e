"""Dialogues: messages of text and audio, one JSON object a line (``dialogues.jsonl``).

    {"id": "d1", "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": [{"type": "audio", "audio": "a.wav"}, {"type": "text", "text": "What is said?"}]},
        {"role": "assistant", "content": "The person says hello."}],
     "source": "template", "task": "asr", "label_origin": "real", "facts": {"text": "hello"}}

The system message may be left out, and so may the id: it is then the file's name and the row's number. What is
null is absent. ``audio`` is what qwen_audio/audio.py reads: a file, or ``file.ark:offset``. Further keys say what the
dialogue is about: ``source`` (one of SOURCES), ``task``, ``label_origin``, ``facts`` (the exact answers, for scoring)
or your own. Other toolkits' layouts are read too (dialogue_layouts.py).
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qwen_audio.data.dialogue_layouts import own_layout
from qwen_audio.data.json_rows import write_rows
from qwen_audio.registry import nearest

SYSTEM, USER, ASSISTANT = ROLES = ("system", "user", "assistant")
SOURCES = ("template", "llm", "joined", "text")  # how a dialogue of the training data was made


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Audio:
    """``audio`` is a path; in a chat session also (N,) samples at 16 kHz."""

    audio: str


Part = Text | Audio


@dataclass(frozen=True)
class Message:
    """What one side says; only the user's messages hold audio.

    Attributes:
        parts: texts and audios in their order; never empty.
    """

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def audios(self) -> list[str]:
        return [part.audio for part in self.parts if isinstance(part, Audio)]


@dataclass(frozen=True)
class Dialogue:
    """A dialogue: the system's message or none, then the user's and the assistant's in turn.

    Attributes:
        about: all other keys of the row.
    """

    id: str
    messages: tuple[Message, ...]
    about: dict = field(default_factory=dict)


def read_dialogues(path: str | Path) -> Iterator[Dialogue]:
    """The dialogues of a file: JSON objects, one a line, or one JSON list of them.

    Raises:
        ValueError: naming file:line (of a list file:[place]) and key of what is wrong, and what to write.
    """
    path, seen = Path(path), set()
    for number, (where, row) in enumerate(_rows(path), 1):
        try:
            dialogue = parse_dialogue(row, f"{path.stem}-{number}")
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if dialogue.id in seen:
            raise ValueError(f"{where}: the id {dialogue.id!r} stands twice; give each dialogue its own")
        seen.add(dialogue.id)
        yield dialogue


def write_dialogues(path: str | Path, dialogues: Iterable[Dialogue]) -> None:
    """Write ``dialogues``, one a line; the file appears complete or not at all."""
    write_rows(path, map(to_row, dialogues))


def parse_dialogue(row, default_id: str = "") -> Dialogue:
    """The dialogue of a row, in our layout or another one that is read.

    Args:
        default_id: of a row that has none.

    Raises:
        ValueError: naming the key that is wrong, and what to write.
    """
    if not isinstance(row, dict):
        raise ValueError(f"is {_short(row)}; write an object with 'id' and 'messages'")
    row = own_layout(row, default_id)
    name, messages = row.get("id"), row.get("messages")
    if not isinstance(name, str) or not name:
        raise ValueError(f"id is {_short(name)}; write a text that is not empty")
    if not isinstance(messages, list):
        raise ValueError(f"messages is {_short(messages)}; write a list of objects with 'role' and 'content'")
    found = tuple(_message(message, f"messages[{place}]") for place, message in enumerate(messages))
    _check_order([message.role for message in found])
    about = {key: value for key, value in row.items() if key not in ("id", "messages")}
    if "source" in about and about["source"] not in SOURCES:
        raise ValueError(f"source is {_short(about['source'])}{nearest(about['source'], SOURCES)}")
    if not isinstance(about.get("task", ""), str):
        raise ValueError(f"task is {_short(about['task'])}; write the name of one")
    _check_facts(about.get("facts", {}))
    return Dialogue(name, found, about)


def to_row(dialogue: Dialogue) -> dict:
    """The dialogue as a row of the file; ``parse_dialogue`` gives it back."""
    messages = [{"role": message.role, "content": _content(message)} for message in dialogue.messages]
    return {"id": dialogue.id, "messages": messages, **dialogue.about}


def check_text(value, where: str) -> None:
    """Raises: ValueError if ``value``, which stands at ``where``, is no text that a message may hold."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where} is {_short(value)}; write a text that is not empty")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"{where} holds half a surrogate pair, which is no character; write it in UTF-8")


def _rows(path: Path) -> Iterator[tuple[str, object]]:
    """(where, row) of each row, read one at a time unless the file is one list."""
    with open(path, "rb") as stream:
        if stream.read(64).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
            stream.seek(0)
            for place, row in enumerate(_json(stream.read(), str(path))):
                yield f"{path}:[{place}]", row
            return
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            yield f"{path}:{number}", _json(line, f"{path}:{number}")


def _json(content: bytes, where: str):
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: not JSON ({error}); write one object a line") from None


def _message(row, where: str) -> Message:
    if not isinstance(row, dict):
        raise ValueError(f"{where} is {_short(row)}; write an object with 'role' and 'content'")
    for key in row:
        if key not in ("role", "content"):
            raise ValueError(f"{where}: unknown key {key!r}{nearest(key, ('role', 'content'))}")
    role, content = row.get("role"), row.get("content")
    if role not in ROLES:
        raise ValueError(f"{where}.role is {_short(role)}{nearest(role, ROLES)}")
    content = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(content, list) or not content:
        raise ValueError(f"{where}.content is {_short(content)}; write a text, or a list of parts")
    parts = tuple(_part(part, f"{where}.content[{place}]") for place, part in enumerate(content))
    if role != USER and any(isinstance(part, Audio) for part in parts):
        raise ValueError(f"{where}: the {role}'s message holds audio; only the user's may")
    return Message(role, parts)


def _part(row, where: str) -> Part:
    kinds = {"text": Text, "audio": Audio}
    kind = row.get("type") if isinstance(row, dict) else None
    if not isinstance(kind, str) or kind not in kinds or set(row) != {"type", kind}:
        raise ValueError(
            f'{where} is {_short(row)}; write {{"type": "text", "text": …}} or {{"type": "audio", "audio": PATH}}'
        )
    check_text(row[kind], f"{where}.{kind}")
    return kinds[kind](row[kind])


def _check_facts(facts) -> None:
    rows = facts.get("rows", []) if isinstance(facts, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(
            f"facts is {_short(facts)}; write an object, its 'rows' a list of them, or another key"
        )


def _check_order(roles: list[str]) -> None:
    begin = int(roles[:1] == [SYSTEM])
    for place, role in enumerate(roles[begin:]):
        wanted = (USER, ASSISTANT)[place % 2]
        if role != wanted:
            raise ValueError(
                f"messages[{begin + place}].role is {role!r} where {wanted!r} is due: after the system's message,"
                " if there is one, user and assistant take turns"
            )
    if len(roles) == begin:
        raise ValueError("messages holds no user message; write at least one")


def _content(message: Message) -> str | list[dict]:
    if len(message.parts) == 1 and isinstance(message.parts[0], Text):
        return message.parts[0].text
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "audio", "audio": part.audio}
        for part in message.parts
    ]


def _short(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
