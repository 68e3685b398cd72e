"""Read Qt's binary resource files (.rcc): a tree of folders and files in one file.

Layout, all numbers big-endian: "qres", version, offsets of tree, data and names (version 3: overall flags).
A tree node is u32 name, u16 flags, then for a folder u32 children, u32 first child, for a file u16 territory,
u16 language, u32 data offset; version 2 and later add a u64 time. A name is u16 length, u32 hash, UTF-16.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

ZLIB, FOLDER, ZSTD = 1, 2, 4
HEADER = struct.Struct(">4s4I")


def read_rcc(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name within the resource, content) of every file in it, folders depth first.

    Raises:
        ValueError: if ``path`` is no resource file, is cut short, or is compressed otherwise than by zlib.
    """
    blob = Path(path).read_bytes()
    if blob[:4] != b"qres" or len(blob) < HEADER.size:
        raise ValueError(f"{path}: no Qt resource file (it must begin with 'qres')")
    _, version, tree, data, names = HEADER.unpack_from(blob)
    size = 14 if version < 2 else 22

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", blob, names + offset)
        return blob[names + offset + 6 : names + offset + 6 + 2 * length].decode("utf-16-be")

    def walk(node: int, folder: str) -> Iterator[tuple[str, bytes]]:
        offset, flags = struct.unpack_from(">IH", blob, tree + node * size)
        name = f"{folder}/{name_at(offset)}" if node else ""
        first, second = struct.unpack_from(">II", blob, tree + node * size + 6)
        if flags & FOLDER:
            for child in range(second, second + first):
                yield from walk(child, name)
            return
        (length,) = struct.unpack_from(">I", blob, data + second)
        content = blob[data + second + 4 : data + second + 4 + length]
        if len(content) != length:
            raise ValueError(f"{path}: {name} is cut short: {len(content)} of {length} bytes")
        if flags & ZSTD:
            raise ValueError(f"{path}: {name} is compressed with zstd; only plain and zlib files are read")
        yield name.lstrip("/"), zlib.decompress(content[4:]) if flags & ZLIB else content

    yield from walk(0, "")
