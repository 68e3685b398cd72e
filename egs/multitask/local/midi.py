"""Write the simplest MIDI file (Standard MIDI File format 0): messages at their times on one channel."""

import struct
from collections.abc import Iterable

TICKS = 500  # per quarter note of 500 ms: one tick is one millisecond

Message = tuple[int, bytes]  # milliseconds from the start, what is sent then


def program(number: int) -> bytes:
    """Choose the instrument, a General MIDI program from 0 on."""
    return bytes([0xC0, in_range(number)])


def key_down(pitch: int, velocity: int) -> bytes:
    return bytes([0x90, in_range(pitch), in_range(velocity)])


def key_up(pitch: int) -> bytes:
    return bytes([0x80, in_range(pitch), 0])


def all_sound_off() -> bytes:
    return bytes([0xB0, 120, 0])


def midi_file(messages: Iterable[Message]) -> bytes:
    """A file that sends these messages, in their order.

    Raises:
        ValueError: naming a message that is earlier than the one before it.
    """
    track, now = b"", 0
    for number, (at, message) in enumerate(messages):
        if at < now:
            raise ValueError(f"message {number} is at {at} ms, the one before it at {now} ms: sort them")
        track += variable_length(at - now) + message
        now = at
    track += b"\x00\xff\x2f\x00"  # end of track
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def in_range(number: int) -> int:
    """``number`` itself.

    Raises:
        ValueError: if it is not one of 0 to 127.
    """
    if not 0 <= number <= 127:
        raise ValueError(f"{number}: program, pitch and velocity run from 0 to 127")
    return number


def variable_length(number: int) -> bytes:
    """Seven bits a byte, the highest bit set on all but the last: 200 -> 81 48."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))
