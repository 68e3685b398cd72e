"""MP3 files that do not say how long they are: their frames are counted, and the count is put in front of them.

libsndfile takes the length of an mp3 from its Xing (or Info) header. Without one it guesses by the file's size and
the first bit rates, and reads no further than that: of a variable bit rate most of a recording may be lost, and
with a picture in the tags the guess is too long.
"""

import bisect
import io
import itertools
import mmap
import struct
from collections.abc import Iterator

SLACK = 0.95  # a header may count a few frames that its file lacks; below this share the file is cut off
KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1, layer III
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
KBITS[0] = KBITS[2]
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # MPEG 1, 2, 2.5
ROOMY = 8 << 4  # bit rate, by its index, at which a frame of any rate has room for a Xing header


def counted(path: str) -> io.RawIOBase | None:
    """The frames of an mp3 behind a Xing header that counts them; without tags and whatever else is no frame.

    Returns:
        None where the file's own header is right, where it tells that the file is cut off, or where there is no
        frame of layer III.
    """
    with open(path, "rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    frames = _frames(data)
    first = next(frames, None)
    if first is None:
        return None
    claimed = _claimed(data, first[0])
    if claimed is None:
        frames = itertools.chain([first], frames)
    spans, count = [], 0
    for start, size in frames:
        count += 1
        if spans and spans[-1][1] == start:
            spans[-1] = spans[-1][0], start + size
        else:
            spans.append((start, start + size))
    if claimed is not None and (count == claimed or count < claimed * SLACK):
        return None
    header = data[first[0] : first[0] + 4]
    return _Pieces([_xing(header, count), *(memoryview(data)[a:b] for a, b in spans)])


def _claimed(data: mmap.mmap, start: int) -> int | None:
    """Frames that the one at ``start`` says there are behind it, 0 where it leaves that open; None if it is sound."""
    place = start + _xing_place(data[start : start + 4])
    if data[place : place + 4] in (b"Xing", b"Info"):
        flags, count = (int.from_bytes(data[place + at : place + at + 4]) for at in (4, 8))
        return count if flags & 1 else 0
    return 0 if data[start + 36 : start + 40] == b"VBRI" else None  # its count libsndfile does not read


def _frames(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """(start, size) of every whole frame. After something else, a frame counts if another or the end follows it."""
    at, synced = 0, False
    while 0 <= at < len(data):
        if data[at : at + 3] == b"ID3" and not max(tag := data[at + 6 : at + 10], default=128) & 128:
            at, synced = at + 10 + sum(byte << 7 * (3 - n) for n, byte in enumerate(tag)), False
            continue
        size = _size(data[at : at + 4])
        after = at + size
        if size and after <= len(data) and (synced or after == len(data) or _size(data[after : after + 4])):
            yield at, size
            at, synced = after, True
        else:
            at, synced = data.find(b"\xff", at + 1), False


def _size(header: bytes) -> int:
    """Bytes of the frame that begins with these four; 0 if they begin none of layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bits in (0, 15) or rate == 3:
        return 0
    padding = header[2] >> 1 & 1
    return (144000 if version == 3 else 72000) * KBITS[version][bits] // RATES[version][rate] + padding


def _xing_place(header: bytes) -> int:
    """Where a Xing header stands in the frame: behind the frame's own header and side information."""
    mono = header[3] >> 6 == 3
    return 4 + ((17 if mono else 32) if header[1] >> 3 & 3 == 3 else (9 if mono else 17))


def _xing(header: bytes, count: int) -> bytes:
    """A silent frame of the kind of ``header`` that says that ``count`` frames follow."""
    header = bytes([0xFF, header[1] | 1, ROOMY | header[2] & 0x0C, header[3]])  # no checksum, no padding
    content = header.ljust(_xing_place(header), b"\0") + b"Xing" + struct.pack(">II", 1, count)
    return content.ljust(_size(header), b"\0")


class _Pieces(io.RawIOBase):
    """Pieces of bytes one after another, as one file to read."""

    def __init__(self, pieces: list[bytes | memoryview]):
        self.pieces, self.ends, self.at = pieces, list(itertools.accumulate(map(len, pieces))), 0

    def readinto(self, buffer) -> int:
        begin = self.at
        while (left := len(buffer) - (self.at - begin)) and self.at < self.ends[-1]:
            number = bisect.bisect_right(self.ends, self.at)
            place = len(self.pieces[number]) - (self.ends[number] - self.at)
            part = self.pieces[number][place : place + left]
            buffer[self.at - begin : self.at - begin + len(part)] = part
            self.at += len(part)
        return self.at - begin

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.ends[-1]}[whence]
        return self.at

    def tell(self) -> int:
        return self.at
