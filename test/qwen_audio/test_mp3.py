import numpy as np
import pytest
import soundfile

from qwen_audio import mp3
from qwen_audio.audio import num_samples, read_audio, read_header

PICTURE = b"ID3\x03\0\0" + bytes([0, 3, 6, 80]) + bytes(range(256)) * 195 + bytes(80)  # 3 << 14 | 6 << 7 | 80


def written(path, rate: int = 16000, channels: int = 1) -> bytes:
    """Four seconds of variable bit rate: one of noise, two that are nearly silent, one of noise."""
    wave = np.random.default_rng(0).normal(size=(4 * rate, channels)) * 0.1
    wave[rate : 3 * rate] *= 1e-3
    soundfile.write(path, wave, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return path.read_bytes()


def without_header(content: bytes) -> bytes:
    """Without its first frame, which holds the Xing header."""
    return content[content.index(content[:2], 4) :]


@pytest.mark.parametrize("rate, channels", [(16000, 1), (44100, 2), (8000, 1), (22050, 2), (48000, 1)])
def test_a_recording_without_a_length_is_read_to_its_end(tmp_path, rate, channels):
    path = tmp_path / "a.mp3"
    path.write_bytes(without_header(written(path, rate, channels)))
    wave = read_audio(str(path))
    assert len(wave) == num_samples(str(path)) == pytest.approx(64000, abs=2.5 * 1152 * 16000 / rate)
    assert 10 * np.abs(wave[20000:44000]).max() < np.abs(wave[52000:60000]).max()
    assert soundfile.info(path).frames < 0.9 * read_header(str(path)).frames  # what libsndfile guesses


def test_a_picture_in_the_tags_changes_nothing(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(size=64000) * 0.1, 16000, bitrate_mode="CONSTANT")
    path.write_bytes(without_header(path.read_bytes()))
    wave = read_audio(str(path))
    path.write_bytes(PICTURE + path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_audio(str(path)), wave)
    assert num_samples(str(path)) == len(wave)


def test_recordings_put_one_behind_another_are_read_to_the_last(tmp_path):
    path = tmp_path / "a.mp3"
    content = written(path)
    for joined in (
        content + content,
        content + PICTURE + content,
        without_header(content) + bytes(5000) + content,
    ):
        path.write_bytes(joined)
        wave = read_audio(str(path))
        assert len(wave) == num_samples(str(path)) == pytest.approx(2 * 64000, abs=6 * 576)
        assert np.abs(wave[-12000:-4000]).max() > 0.1


def test_a_header_of_another_kind_is_no_sound(tmp_path):
    path = tmp_path / "a.mp3"
    body = without_header(written(path))
    path.write_bytes(body)
    wave = read_audio(str(path))
    frame = bytes([body[0], body[1], 8 << 4 | body[2] & 0x0C, body[3]]) + bytes(32) + b"VBRI"
    path.write_bytes(frame.ljust(72000 * 64 // 16000, b"\0") + body)
    np.testing.assert_array_equal(read_audio(str(path)), wave)


def test_a_header_that_is_right_is_the_one_that_counts(tmp_path):
    path = tmp_path / "a.mp3"
    content = written(path)
    assert mp3.counted(str(path)) is None and num_samples(str(path)) == 64000
    path.write_bytes(content[: content.rindex(content[:2])])  # its last frame is gone
    assert len(read_audio(str(path))) == num_samples(str(path))


def test_a_stream_that_breaks_off_ends_with_its_last_whole_frame(tmp_path):
    path = tmp_path / "a.mp3"
    body = without_header(written(path))
    path.write_bytes(body[: body.rindex(body[:2])])
    wave = read_audio(str(path))
    path.write_bytes(body[:-5])
    np.testing.assert_array_equal(read_audio(str(path)), wave)
