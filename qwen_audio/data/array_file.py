"""A one-dimensional .npy file that is written block by block."""

from pathlib import Path

import numpy as np


class ArrayFile:
    """A .npy file that grows; its length is entered in the header on close.

    Attributes:
        length: elements written.
    """

    def __init__(self, path: Path, dtype: np.dtype):
        self.dtype, self.length = dtype, 0
        self._stream = open(path, "wb")
        self._header()

    def _header(self) -> None:
        # numpy reserves room for the digits of a growing first dimension, so the header keeps its size
        self._stream.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, block: np.ndarray) -> bytes:
        """Write (n,) elements; returns their bytes."""
        data = block.tobytes()
        self._stream.write(data)
        self.length += len(block)
        return data

    def close(self) -> None:
        if not self._stream.closed:
            self._header()
            self._stream.close()
