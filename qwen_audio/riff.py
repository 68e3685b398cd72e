"""The header of a RIFF wave file: enough to know its length, and whether the file was cut off."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

# sox and ffmpeg write a size from here up when they write into a pipe: sox 0x7ffff000, rounded down to whole blocks
UNKNOWN_LENGTH = 0x7FFF0000


@dataclass(frozen=True)
class RiffHeader:
    """What the fmt and data chunks say; ``data_bytes`` is None where the writer left the length open."""

    rate: int
    channels: int
    bits: int
    data_bytes: int | None
    missing_bytes: int

    @property
    def frames(self) -> int | None:
        """Samples per channel; None where the length is open, or samples are coded in blocks (GSM, ADPCM)."""
        if self.data_bytes is None or not self.bits or self.bits % 8:
            return None
        return self.data_bytes // (self.channels * self.bits // 8)


def read_riff_header(stream: BinaryIO) -> RiffHeader:
    """Read the header from the stream's position on; the position afterwards is where the samples begin.

    libsndfile takes a cut-off wave file for a shorter one without a word; ``missing_bytes`` is what it
    hides: bytes that the data chunk claims and the file does not have.

    Raises:
        ValueError: if the bytes are no RIFF wave file with a fmt and a data chunk.
    """
    if stream.read(4) != b"RIFF" or stream.read(8)[4:] != b"WAVE":
        raise ValueError("no RIFF wave header")
    rate = channels = bits = 0
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            if not channels:
                raise ValueError("wave header without a fmt chunk before the data")
            if size >= UNKNOWN_LENGTH:
                return RiffHeader(rate, channels, bits, None, 0)
            rest = os.fstat(stream.fileno()).st_size - stream.tell()
            return RiffHeader(rate, channels, bits, size, max(size - rest, 0))
        if name == b"fmt ":
            form = stream.read(16)
            if len(form) < 16:
                raise ValueError("wave header that is cut off")
            channels, rate, bits = struct.unpack("<2xHI6xH", form)
            size -= 16
        stream.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError("wave header without a data chunk")
