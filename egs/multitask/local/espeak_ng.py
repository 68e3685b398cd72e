"""The synthesiser espeak-ng, by its C library: speech together with the time of every word."""

import ctypes
import ctypes.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from qwen_audio.audio import SAMPLE_RATE

_SYNCHRONOUS, _PHONEME_EVENTS, _NO_EXIT = 2, 1, 0x8000  # espeak_Initialize
_CHARACTERS, _UTF8, _RATE = 1, 1, 1  # position type, flag of espeak_Synth, parameter
_WORD, _PHONEME = 1, 7  # event types; 0 ends the list


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("character", ctypes.c_int),  # where in the text, from 1
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Synthesiser:
    """espeak-ng with its own voices, by file (``gmw/en-US``) and perhaps a variant (``gmw/en-US+f3``).

    Args:
        programs: folder where Debian packages were unpacked; a library there is taken first.

    Raises:
        ValueError: if there is no library.
    """

    def __init__(self, programs: Path):
        unpacked = next(iter(sorted(programs.glob("usr/lib/*/libespeak-ng.so.1"))), None)
        name = str(unpacked) if unpacked else ctypes.util.find_library("espeak-ng")
        if name is None:
            raise ValueError("libespeak-ng is missing; run tools/fetch_debs.sh --programs espeak-ng")
        self._library = ctypes.CDLL(name)
        data = str(unpacked.parent).encode() if unpacked else None  # it has espeak-ng-data beside it
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _NO_EXIT)
        if self._rate < 0:
            raise ValueError(f"{name}: espeak-ng finds no voices; install espeak-ng-data")
        self._callback = _Callback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def use(self, voice: str, words_per_minute: int) -> None:
        """Choose how the next texts are said.

        Raises:
            ValueError: if there is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them, by file")
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)

    def say(self, text: str) -> tuple[np.ndarray, list[list]]:
        """Speech, and [[start_s, end_s, token], ...] for the tokens of ``text``, those between blanks.

        A token starts with the first word event in it. It ends where the next one starts, or where
        espeak-ng makes a pause before that.

        Shapes: (N,) float32 in ±1 at 16 kHz.

        Raises:
            ValueError: if a token has no event of its own, as where espeak-ng says two words as one.
        """
        self._samples, self._events = [], []
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        wave = np.concatenate(self._samples).astype(np.float32) / 32768
        times = [
            [start / self._rate, end / self._rate, token]
            for start, end, token in token_times(text, self._events, len(wave))
        ]
        return soxr.resample(wave, self._rate, SAMPLE_RATE), times

    def _hear(self, wave, count: int, events) -> int:
        if wave:
            self._samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        self._events += _copied(events)
        return 0


def _copied(events) -> Iterator[tuple[int, int, int, str]]:
    at = 0
    while events[at].type:
        event = events[at]
        yield (
            event.type,
            event.character - 1,
            event.sample,
            event.name.decode() if event.type == _PHONEME else "",
        )
        at += 1


def token_times(
    text: str, events: list[tuple[int, int, int, str]], samples: int
) -> list[tuple[int, int, str]]:
    """(first sample, sample behind the last, token) for each token of ``text``; see Synthesiser.say.

    Args:
        events: (type, place in the text from 0, sample, phoneme), in the order of time.
        samples: of all of the speech.
    """
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    starts: dict[int, int] = {}
    pauses = [sample for kind, _, sample, name in events if kind == _PHONEME and name.startswith("_")]
    for kind, place, sample, _ in events:
        for token, (first, behind) in enumerate(spans):
            if kind == _WORD and first <= place < behind:
                starts.setdefault(token, sample)
    found = []
    for token, (first, behind) in enumerate(spans):
        if token not in starts:
            raise ValueError(f"espeak-ng gives no time of its own to a word: {text[first:behind]}")
        limit = starts.get(token + 1, samples)
        end = min([limit, *(pause for pause in pauses if starts[token] < pause)])
        found.append((starts[token], end, text[first:behind]))
    return found
