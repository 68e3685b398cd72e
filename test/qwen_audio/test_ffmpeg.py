import shutil

import numpy as np
import pytest
import soundfile

from qwen_audio.audio import AudioError, num_samples, read_audio, read_start
from qwen_audio.ffmpeg import any_audio, any_blocks, any_num_samples, any_start, ffmpeg_blocks

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")


@pytest.fixture
def m4a(tmp_path, ffmpeg):
    """Two seconds of 440 Hz left and silence right, at 44.1 kHz, as AAC."""
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(88200) / 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([sine, 0 * sine], 1), 44100)
    return ffmpeg(tmp_path / "a.wav", "-c:a", "aac", tmp_path / "a.m4a")


@needs_ffmpeg
def test_an_m4a_is_read_as_mono_at_16_khz(m4a, monkeypatch):
    monkeypatch.setattr("qwen_audio.ffmpeg.BLOCK_BYTES", 4000)
    blocks = list(ffmpeg_blocks(str(m4a)))
    wave = np.concatenate(blocks)
    assert len(blocks) > 10 and wave.dtype == np.float32
    assert len(wave) == pytest.approx(32000, abs=2100)  # AAC fills its last frame
    assert np.abs(np.fft.rfft(wave[8000:24000])).argmax() == 440
    assert np.abs(wave[8000:24000]).max() == pytest.approx(0.25, abs=0.02)


@needs_ffmpeg
@pytest.mark.parametrize("content", [b"this is no audio", b""])
def test_what_ffmpeg_cannot_read_is_refused_with_its_words(tmp_path, content):
    (tmp_path / "a.m4a").write_bytes(content)
    with pytest.raises(AudioError, match="unreadable audio: .*a.m4a: ffmpeg: .*Invalid data"):
        list(ffmpeg_blocks(str(tmp_path / "a.m4a")))


DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"
 mediaPresentationDuration="PT2S" minBufferTime="PT1S"><Period><AdaptationSet mimeType="audio/mp4"><Representation
 id="1" bandwidth="64000" codecs="mp4a.40.2"><BaseURL>NAMED</BaseURL></Representation></AdaptationSet></Period></MPD>
"""
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nNAMED\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile NAMED\n"


@needs_ffmpeg
@pytest.mark.parametrize("playlist, named", [(DASH, "path"), (HLS, "path"), (CONCAT, "name")])
def test_a_file_that_names_another_one_opens_it_not(m4a, playlist, named):
    path = m4a.with_name("playlist.m4a")
    path.write_text(playlist.replace("NAMED", str(m4a) if named == "path" else m4a.name))
    with pytest.raises(
        AudioError, match="unreadable audio: .*playlist.m4a: ffmpeg: a playlist, or .*convert"
    ):
        list(ffmpeg_blocks(str(path)))


@needs_ffmpeg
def test_a_container_that_this_ffmpeg_does_not_know_may_be_listed(m4a, monkeypatch):
    monkeypatch.setattr("qwen_audio.ffmpeg.CONTAINERS", "never_heard_of,mov")
    assert list(ffmpeg_blocks(str(m4a)))


@needs_ffmpeg
@pytest.mark.parametrize(
    "name, codec", [("a.mkv", "aac"), ("a.aac", "aac"), ("a.wma", "wmav2"), ("a.mpg", "mp2"), ("a.avi", "mp2"),
                    ("a.ts", "aac"), ("a.ac3", "ac3"), ("a.tta", "tta"), ("a.wv", "wavpack"), ("a.webm", "vorbis")]
)  # fmt: skip
def test_containers_of_sound_are_read(m4a, ffmpeg, name, codec):
    path = ffmpeg(m4a, "-strict", "-2", "-c:a", codec, "-ac", "2", m4a.with_name(name))
    assert sum(map(len, ffmpeg_blocks(str(path)))) == pytest.approx(32000, abs=3000)


@needs_ffmpeg
def test_a_playlist_that_names_an_address_opens_none(tmp_path):
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError, match="unreadable audio"):
        list(ffmpeg_blocks(str(tmp_path / "a.m3u8")))


@needs_ffmpeg
def test_ffmpeg_ends_when_nobody_wants_the_rest(m4a, monkeypatch):
    monkeypatch.setattr("qwen_audio.ffmpeg.BLOCK_BYTES", 4000)
    blocks = ffmpeg_blocks(str(m4a))
    assert len(next(blocks)) == 2000
    blocks.close()


def test_without_ffmpeg_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match="a.m4a: .*install ffmpeg .*--programs ffmpeg.*or convert"):
        next(ffmpeg_blocks("a.m4a"))


@needs_ffmpeg
def test_what_libsndfile_reads_is_read_by_it_and_the_rest_by_ffmpeg(m4a):
    np.testing.assert_array_equal(
        any_audio(str(m4a.with_suffix(".wav"))), read_audio(str(m4a.with_suffix(".wav")))
    )
    np.testing.assert_array_equal(any_audio(str(m4a)), np.concatenate(list(ffmpeg_blocks(str(m4a)))))


@needs_ffmpeg
def test_length_and_start_are_those_of_the_wave_that_ffmpeg_decodes(m4a):
    wave = any_audio(str(m4a))
    assert any_num_samples(str(m4a)) == len(wave)
    np.testing.assert_array_equal(any_start(str(m4a), 500), wave[:500])


def test_length_and_start_of_what_libsndfile_reads_need_no_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setattr("qwen_audio.ffmpeg.ffmpeg_blocks", None)
    path = str(tmp_path / "a.wav")
    soundfile.write(path, np.linspace(-1, 1, 9000), 44100)
    assert any_num_samples(path) == num_samples(path)
    np.testing.assert_array_equal(any_start(path, 500), read_start(path, 500))


@pytest.mark.parametrize("read", [lambda path: next(any_blocks(path)), any_num_samples, any_start])
@pytest.mark.parametrize("path, said", [("gone.m4a", "missing file: gone.m4a"), ("touch ran |", "pipe: ")])
def test_what_is_no_file_never_reaches_ffmpeg(tmp_path, monkeypatch, path, said, read):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match=said):
        read(path)
