"""Music note analysis: pitch, velocity and instrument read from ``<|pitch|><|midi_pitch_60|>…``."""

import re

from qwen_audio.score.bootstrap import ci95, utterances

_FIELDS = {
    "pitch": re.compile(r"<\|pitch\|>\s*<\|midi_pitch_(\d+)\|>"),
    "velocity": re.compile(r"<\|velocity\|>\s*<\|midi_velocity_(\d+)\|>"),
    "instrument": re.compile(r"<\|instrument\|>([^<]*[^<\s])"),
}


def parse_note(text: str) -> dict:
    """The fields that stand in ``text``: ``{"pitch": 60, "velocity": 100, "instrument": "keyboard"}``.

    Each field is read on its own, so an answer cut short keeps the fields before the cut.
    """
    found = {name: match.group(1).strip() for name, rule in _FIELDS.items() if (match := rule.search(text))}
    return {name: value if name == "instrument" else int(value) for name, value in found.items()}


def note(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of notes with pitch, velocity and instrument all right, and the share of each field."""
    parts = {name: _share(refs, hyps, _field(name), (name,))["score"] for name in _FIELDS}
    parts["chroma"] = _share(refs, hyps, _chroma, ("pitch",))["score"]
    return _share(refs, hyps, lambda fields: tuple(fields[name] for name in _FIELDS), tuple(_FIELDS)) | parts


def pitch(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of notes whose MIDI pitch is right."""
    return _share(refs, hyps, _field("pitch"), ("pitch",))


def chroma(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of notes whose pitch class (MIDI number modulo 12) is right."""
    return _share(refs, hyps, _chroma, ("pitch",))


def velocity(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of notes whose MIDI velocity is right."""
    return _share(refs, hyps, _field("velocity"), ("velocity",))


def instrument(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """Share of notes whose instrument is written exactly as in the reference."""
    return _share(refs, hyps, _field("instrument"), ("instrument",))


def _field(name: str):
    return lambda fields: fields[name]


def _chroma(fields: dict) -> int:
    return fields["pitch"] % 12


def _share(refs, hyps, value, needs: tuple[str, ...]) -> dict:
    """``value(fields)`` of the hypothesis against every reference; ``needs``: fields it reads.

    Raises:
        ValueError: naming the utterance whose reference lacks a field.
    """
    right, malformed = [], 0
    for utt, texts in refs.items():
        wanted = []
        for text in texts:
            fields = parse_note(text)
            for name in needs:
                if name not in fields:
                    raise ValueError(f"reference of {utt} is {text!r}; it has no {name}")
            wanted.append(value(fields))
        fields = parse_note(hyps[utt])
        readable = all(name in fields for name in needs)
        malformed += not readable
        right.append(readable and value(fields) in wanted)
    return {
        "score": sum(right) / len(right),
        "malformed": malformed,
        "ci95": ci95(right, [1] * len(right), utterances(refs)),
    }
