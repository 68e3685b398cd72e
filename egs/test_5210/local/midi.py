"""Write the simplest MIDI file (Standard MIDI File format 0): notes one after another on one channel."""

import struct
from collections.abc import Iterable

TICKS = 500  # per quarter note of 500 ms: one tick is one millisecond


def midi_file(notes: Iterable[tuple[int, int, int]], held_ms: int, heard_ms: int, slot_ms: int) -> bytes:
    """A file that plays note k from ``k * slot_ms`` on.

    Args:
        notes: (program, pitch, velocity) each, numbers from 0 to 127.
        held_ms: how long a key is down.
        heard_ms: when a note that still rings is cut off.
        slot_ms: from one note to the next.

    Raises:
        ValueError: naming a number outside 0 to 127, or times that do not grow.
    """
    if not 0 < held_ms <= heard_ms <= slot_ms:
        raise ValueError(
            f"held_ms {held_ms}, heard_ms {heard_ms}, slot_ms {slot_ms}: write them in growing order"
        )
    wait = 0
    track = b""
    for note in notes:
        if not all(0 <= number <= 127 for number in note):
            raise ValueError(f"note {note}: program, pitch and velocity run from 0 to 127")
        program, pitch, velocity = note
        track += variable_length(wait) + bytes([0xC0, program])
        track += b"\x00" + bytes([0x90, pitch, velocity])
        track += variable_length(held_ms) + bytes([0x80, pitch, 0])
        track += variable_length(heard_ms - held_ms) + bytes([0xB0, 120, 0])  # controller 120: all sound off
        wait = slot_ms - heard_ms
    track += b"\x00\xff\x2f\x00"  # end of track
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def variable_length(number: int) -> bytes:
    """Seven bits a byte, the highest bit set on all but the last: 200 -> 81 48."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))
