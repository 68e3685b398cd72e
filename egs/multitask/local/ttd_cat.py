"""Read the sounds of Transport Tycoon and OpenTTD (.cat): WAV files, each with a name, in one file.

Layout, all numbers little-endian: a table of u32 offset, u32 bytes of the WAV file, as long as the first offset
says; the highest bit of an offset is a flag. At an offset stand u8 length and name, then the WAV file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

ENTRY = struct.Struct("<II")
FLAG = 1 << 31


def read_cat(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every sound in it, in its order.

    Raises:
        ValueError: if ``path`` is no such file, or is cut short.
    """
    blob = Path(path).read_bytes()
    table = ENTRY.unpack_from(blob)[0] & ~FLAG if len(blob) >= ENTRY.size else 0
    if not ENTRY.size <= table <= len(blob) or table % ENTRY.size:
        raise ValueError(f"{path}: no sounds of OpenTTD (it must begin with a table of offsets)")
    for offset, size in ENTRY.iter_unpack(blob[:table]):
        start = offset & ~FLAG
        length = blob[start] if start < len(blob) else 0
        name = blob[start + 1 : start + 1 + length].rstrip(b"\0").decode("utf-8", errors="replace")
        content = blob[start + 1 + length : start + 1 + length + size]
        if len(content) != size:
            raise ValueError(f"{path}: {name or 'a sound'} is cut short: {len(content)} of {size} bytes")
        yield name, content
