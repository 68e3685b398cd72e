import numpy as np
import pytest
import soundfile

from qwen_audio import arkio
from qwen_audio.audio import (
    AudioError,
    as_wave,
    num_samples,
    read_audio,
    read_blocks,
    read_header,
    read_start,
    to_int16,
)


def sine(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def loudest_hertz(wave: np.ndarray) -> float:
    return np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * 16000 / len(wave)


def without_length(flac: bytes) -> bytes:
    """As a writer into a pipe leaves it: the 36 bits for the number of samples are zero."""
    return flac[:21] + bytes([flac[21] & 0xF0, 0, 0, 0, 0]) + flac[26:]


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_another_rate_is_resampled_to_the_same_duration_and_pitch(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", sine(440, rate), rate)
    wave = read_audio(str(tmp_path / "a.wav"))
    assert wave.dtype == np.float32 and len(wave) == 16000
    assert loudest_hertz(wave) == pytest.approx(440, abs=1)
    assert np.abs(wave[4000:12000]).max() == pytest.approx(0.5, abs=0.005)


def test_a_tone_above_the_new_band_is_gone_and_not_folded_back(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(11000, 44100), 44100)
    assert np.abs(read_audio(str(tmp_path / "a.wav"))[2000:-2000]).max() < 1e-3


def test_stereo_is_the_mean_of_its_channels(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1), 16000)
    np.testing.assert_allclose(read_audio(str(tmp_path / "a.flac")), np.full(100, 0.125), atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_every_format_is_read_at_the_length_its_header_gives(tmp_path, name):
    path = str(tmp_path / name)
    soundfile.write(path, sine(440, 44100, 0.73), 44100)
    wave = read_audio(path)
    assert len(wave) == num_samples(path) == pytest.approx(0.73 * 16000, abs=1)
    assert loudest_hertz(wave) == pytest.approx(440, abs=2)


def test_the_header_gives_the_length_of_the_resampled_audio_at_every_rate_and_size(tmp_path):
    path = str(tmp_path / "a.wav")
    for rate in (8000, 11025, 12345, 32000, 44100, 96000):
        for frames in (0, 1, 2, 3, 441, 1001, 9999):
            soundfile.write(path, np.zeros(frames), rate)
            assert len(read_audio(path)) == num_samples(path), (rate, frames)


def test_a_recording_longer_than_a_block_is_the_same_as_in_one_block(tmp_path, monkeypatch):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 30000), 22050)
    whole = read_audio(path)
    monkeypatch.setattr("qwen_audio.audio.BLOCK_FRAMES", 1000)
    np.testing.assert_allclose(read_audio(path), whole, atol=1e-5)


def test_blocks_are_the_recording_in_pieces(tmp_path, monkeypatch):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (30000, 2)), 44100)
    monkeypatch.setattr("qwen_audio.audio.BLOCK_FRAMES", 1000)
    blocks = list(read_blocks(path))
    assert max(map(len, blocks)) < 1000
    np.testing.assert_array_equal(np.concatenate(blocks), read_audio(path))


def test_at_a_low_rate_a_block_is_a_few_minutes_long(tmp_path):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, np.zeros(20000), 10)  # 2000 s in 20000 frames
    assert max(map(len, read_blocks(path))) < 2 * 240 * 16000  # soxr keeps some back for the next


def test_int16_audio_of_an_ark_is_scaled_to_one(tmp_path):
    samples = np.array([-32768, -16384, 0, 16384], dtype=np.int16)
    record = arkio.wave_record("u", 16000, samples)
    (tmp_path / "a.ark").write_bytes(record)
    wave = read_audio(f"{tmp_path}/a.ark:2")
    assert wave.dtype == np.float32
    np.testing.assert_array_equal(wave, [-1, -0.5, 0, 0.5])


def test_audio_of_an_ark_at_another_rate_is_resampled(tmp_path):
    record = arkio.wave_record("u", 8000, to_int16(sine(440, 8000)))
    (tmp_path / "a.ark").write_bytes(record)
    wave = read_audio(f"{tmp_path}/a.ark:2")
    assert len(wave) == num_samples(f"{tmp_path}/a.ark:2") == 16000
    assert loudest_hertz(wave) == pytest.approx(440, abs=1)


def test_a_missing_file_is_named_with_the_folder_it_counts_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match=f"missing file: no/a.wav.*counts from {tmp_path}"):
        read_audio("no/a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_a_cut_off_file_is_refused(tmp_path, name):
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 32000), 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=f"(truncated|unreadable) audio: {path}"):
        read_audio(str(path))


def test_the_bytes_a_cut_off_wav_lacks_are_counted(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 16000)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(AudioError, match="truncated audio: .* lacks 600 bytes"):
        read_audio(str(path))


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW"])
def test_a_wav_of_any_coding_is_read_and_refused_where_it_is_cut_off(tmp_path, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(440, 16000), 16000, subtype=subtype)
    assert loudest_hertz(read_audio(str(path))) == pytest.approx(440, abs=2)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(AudioError, match="truncated audio: .* lacks 600 bytes"):
        read_audio(str(path))


def test_a_wav_whose_chunks_cannot_be_followed_is_named(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(100), 16000)
    content = path.read_bytes()
    path.write_bytes(content[:36] + b"fact" + bytes(8) + content[36:])  # says that it is empty, and is not
    with pytest.raises(AudioError, match="unreadable audio: .*a.wav: wave header without a data chunk"):
        read_audio(str(path))


@pytest.mark.parametrize("size", [0x7FFFEFFF, 0x7FFFFFFF, 0xFFFFFFFF])  # sox at 24 bits; sox; ffmpeg
def test_a_wav_written_into_a_pipe_leaves_its_length_open_and_is_read_to_the_end(tmp_path, size):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1000, 0.25), 16000)
    content = bytearray(path.read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_allclose(read_audio(str(path)), np.full(1000, 0.25), atol=1e-4)


def test_a_flac_that_does_not_say_its_length_is_read_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("qwen_audio.audio.BLOCK_FRAMES", 10000)
    for name, rate in (("a.flac", 16000), ("b.flac", 44100)):
        path = tmp_path / name
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2)), rate)
        whole = read_audio(str(path))
        path.write_bytes(without_length(path.read_bytes()))
        np.testing.assert_array_equal(read_audio(str(path)), whole)
        assert num_samples(str(path)) == len(whole)
        assert read_header(str(path)).frames is None
        assert len(read_start(str(path), 500)) == 500
        path.write_bytes(path.read_bytes()[:-100])
        for read in (read_audio, num_samples):
            with pytest.raises(
                AudioError, match=f"unreadable audio: {path}: .* If it is cut off, copy it anew"
            ):
                read(str(path))


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 1e30, -2e6])
@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_file_of_floats_that_are_no_sound_is_refused(tmp_path, sample, rate):
    path = str(tmp_path / "a.wav")
    wave = np.zeros((100, 2), np.float32)
    wave[50, 1] = sample
    soundfile.write(path, wave, rate, subtype="FLOAT")
    with pytest.raises(
        AudioError, match=f"unreadable audio: {path} holds samples that are no numbers, or beyond"
    ):
        read_audio(path)
    wave[50, 1] = 32767  # loud, as of a writer that took floats for integers
    soundfile.write(path, wave, rate, subtype="FLOAT")
    assert read_audio(path).max() > 1000


def test_a_file_that_is_no_audio_is_refused_with_its_name(tmp_path):
    (tmp_path / "a.wav").write_text("this is no audio")
    with pytest.raises(AudioError, match="unreadable audio: .*a.wav"):
        read_audio(str(tmp_path / "a.wav"))


def test_an_empty_file_is_refused_and_no_samples_are_zero_samples(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="unreadable audio"):
        read_audio(str(tmp_path / "a.wav"))
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 44100)
    assert read_audio(str(tmp_path / "b.wav")).shape == (0,)


def test_a_command_is_never_run(tmp_path):
    with pytest.raises(AudioError, match="pipe: .* is a command, .*; name a file"):
        read_audio(f"touch {tmp_path}/ran |")
    assert not (tmp_path / "ran").exists()


def test_the_header_tells_format_rate_and_channels(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((441, 2)), 44100)
    header = read_header(str(tmp_path / "a.flac"))
    assert (header.format, header.rate, header.channels, header.frames) == ("FLAC", 44100, 2, 441)


def test_int16_clips_what_is_beyond_one():
    wave = np.array([-2, -1, 0.5, 1, 2])
    np.testing.assert_array_equal(to_int16(wave), [-32768, -32768, 16384, 32767, 32767])


@pytest.mark.parametrize("kind, unit", [("int16", 32768), ("int32", 2**31), ("float64", 1), ("float32", 1)])
@pytest.mark.parametrize("rate", [16000, 22050])
def test_an_array_is_the_wave_that_its_file_gives(tmp_path, kind, unit, rate):
    stereo = np.stack([sine(440, rate), sine(300, rate)], 1) * unit
    stereo = (np.rint(stereo) if unit > 1 else stereo).astype(kind)
    subtype = {"int16": "PCM_16", "int32": "PCM_32", "float32": "FLOAT", "float64": "DOUBLE"}[kind]
    soundfile.write(tmp_path / "a.wav", stereo, rate, subtype=subtype)
    np.testing.assert_allclose(as_wave(stereo, rate), read_audio(str(tmp_path / "a.wav")), atol=1e-6)
    soundfile.write(tmp_path / "a.wav", stereo[:, 0], rate, subtype=subtype)
    np.testing.assert_allclose(as_wave(stereo[:, 0], rate), read_audio(str(tmp_path / "a.wav")), atol=1e-6)


@pytest.mark.parametrize("samples, rate, message", [
    (np.zeros((2, 16000)), 16000, r"an array of shape \(2, 16000\); write \(N,\) or \(N, channels\)"),
    (np.zeros((2, 3, 4)), 16000, r"an array of shape \(2, 3, 4\)"),
    (np.array([0.0, np.nan]), 16000, "an array of float64 holds samples that are no numbers, or beyond"),
    (np.array([1e300]), 8000, "an array of float64 holds samples that are no numbers, or beyond"),
    (np.array(["a"]), 16000, "an array of <U1; write numbers"),
    (np.zeros(10), 0, "a rate of 0; write samples per second"),
])  # fmt: skip
def test_an_array_that_is_no_sound_says_why(samples, rate, message):
    with pytest.raises(AudioError, match=f"unreadable audio: {message}"):
        as_wave(samples, rate)


def test_the_start_is_that_of_the_whole_in_any_lossless_container(tmp_path):
    wave = np.random.default_rng(0).integers(-9999, 9999, (6000, 2)).astype("int16")
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, wave, 16000)
        np.testing.assert_array_equal(
            read_start(str(tmp_path / name), 500), read_audio(str(tmp_path / name))[:500]
        )
    assert len(read_start(str(tmp_path / "a.wav"), 9000)) == 6000
