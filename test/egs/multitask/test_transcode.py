import pytest
import soundfile
import transcode
from make_corpora import make_asterisk


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return sorted(make_asterisk(tmp_path_factory.mktemp("asterisk")).rglob("*.g722"))


def test_every_clip_is_decoded_to_two_samples_a_byte(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(transcode, "BATCH", 5)  # 14 clips: three calls, the last one short
    wavs = transcode.decode_g722(clips, tmp_path)
    for clip, wav in zip(clips, wavs, strict=True):
        info = soundfile.info(wav)
        assert (info.samplerate, info.channels, info.frames) == (16000, 1, 2 * clip.stat().st_size)


def test_what_is_decoded_is_not_decoded_again(clips, tmp_path, monkeypatch):
    before = transcode.decode_g722(clips, tmp_path)
    monkeypatch.setenv("PATH", "")
    assert transcode.decode_g722(clips, tmp_path) == before


def test_without_ffmpeg_the_error_says_how_to_get_it(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="ffmpeg is missing.*fetch_debs.sh --programs ffmpeg"):
        transcode.decode_g722(clips, tmp_path)


def test_what_ffmpeg_refuses_is_named(tmp_path):
    (tmp_path / "clip.g722").write_bytes(b"abc")
    (tmp_path / "clip-a9993e364706816a.part").mkdir()  # SHA-1 of "abc": ffmpeg cannot write here
    with pytest.raises(ValueError, match="ffmpeg refuses one of .*clip.g722"):
        transcode.decode_g722([tmp_path / "clip.g722"], tmp_path)
    assert not list(tmp_path.glob("*.wav"))
