import io
import struct

import pytest

from qwen_audio.riff import read_riff_header

FORMAT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 8000, 32000, 4, 16)  # PCM, stereo, 8 kHz, 16 bit


def header(tmp_path, *chunks: bytes):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 0) + b"WAVE" + b"".join(chunks))
    with open(path, "rb") as stream:
        return read_riff_header(stream), stream.tell()


def test_a_header_is_read_up_to_its_samples(tmp_path):
    found, position = header(tmp_path, FORMAT, b"data", struct.pack("<I", 400), bytes(400))
    assert (found.rate, found.channels, found.bits) == (8000, 2, 16)
    assert (found.frames, found.missing_bytes) == (100, 0)
    assert position == 44


def test_other_chunks_are_skipped_with_the_byte_that_makes_them_even(tmp_path):
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    found, _ = header(tmp_path, note, FORMAT, note, b"data", struct.pack("<I", 4), bytes(4))
    assert found.frames == 1


def test_bytes_that_are_not_there_are_counted(tmp_path):
    found, _ = header(tmp_path, FORMAT, b"data", struct.pack("<I", 400), bytes(150))
    assert (found.frames, found.missing_bytes) == (100, 250)


def test_a_length_written_into_a_pipe_is_open(tmp_path):
    found, _ = header(tmp_path, FORMAT, b"data", b"\xff\xff\xff\xff", bytes(4))
    assert found.frames is None and found.missing_bytes == 0


@pytest.mark.parametrize("bits", [0, 4, 8])  # GSM 6.10, ADPCM, a byte a sample
def test_samples_that_are_no_whole_bytes_are_not_counted(tmp_path, bits):
    coded = b"fmt " + struct.pack("<IHHIIHH", 16, 0x31, 1, 8000, 1625, 65, bits)
    found, _ = header(tmp_path, coded, b"data", struct.pack("<I", 400), bytes(300))
    assert (found.frames, found.missing_bytes) == (400 if bits == 8 else None, 100)


def test_what_is_no_wave_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no RIFF wave header"):
        read_riff_header(io.BytesIO(b"fLaC" + bytes(40)))
    with pytest.raises(ValueError, match="without a data chunk"):
        header(tmp_path, FORMAT)
    with pytest.raises(ValueError, match="wave header that is cut off"):
        header(tmp_path, FORMAT[:-1])
    with pytest.raises(ValueError, match="without a fmt chunk"):
        header(tmp_path, b"data", struct.pack("<I", 4), bytes(4))
