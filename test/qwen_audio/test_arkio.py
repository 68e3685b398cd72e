import io
import pickle
import subprocess
import sys

import kaldiio
import numpy as np
import pytest
import soundfile
from omniio import kaldi as omniio

from qwen_audio import arkio

FEATURES = np.random.default_rng(0).normal(size=(57, 80)).astype(np.float32)
SAMPLES = np.arange(-500, 500, dtype=np.int16)


@pytest.fixture(params=[kaldiio, omniio], ids=["kaldiio", "omniio"])
def library(request, monkeypatch):
    monkeypatch.setattr(arkio, "kaldi", request.param)


def written(folder, *records):
    with arkio.ArkWriter(folder, "x") as writer:
        return [f"{folder}/{writer.append(utt, record)}" for utt, record in records]


@pytest.mark.parametrize("reader", [kaldiio, omniio], ids=["by_kaldiio", "by_omniio"])
def test_either_library_reads_what_the_other_wrote(tmp_path, library, reader):
    wave, feats = written(
        tmp_path,
        ("ü1", arkio.wave_record("ü1", 16000, SAMPLES)),
        ("u2", arkio.matrix_record("u2", FEATURES)),
    )
    rate, samples = reader.load_mat(wave)
    assert rate == 16000
    np.testing.assert_array_equal(samples, SAMPLES)
    assert reader.load_mat(feats).shape == FEATURES.shape


def test_audio_comes_back_as_it_was(tmp_path, library):
    clips = (("a", 3), ("bb", 900))
    specs = written(tmp_path, *[(utt, arkio.wave_record(utt, 8000, SAMPLES[:n])) for utt, n in clips])
    rate, samples = arkio.read_wave(specs[1])
    assert rate == 8000 and samples.dtype == np.int16
    np.testing.assert_array_equal(samples, SAMPLES[:900])
    assert arkio.wave_header(specs[0]) == (8000, 1, 3)


def test_a_compressed_feature_is_off_by_at_most_the_coarsest_step_of_a_column(tmp_path, library):
    (spec,) = written(tmp_path, ("a", arkio.matrix_record("a", FEATURES)))
    # Kaldi puts 64 steps below the first quartile, 128 between the quartiles and 63 above the third.
    low, q1, q3, high = np.percentile(FEATURES, [0, 25, 75, 100], axis=0)
    step = np.maximum.reduce([(q1 - low) / 64, (q3 - q1) / 128, (high - q3) / 63])
    found = arkio.read_matrix(spec)
    assert found.dtype == np.float32
    assert (np.abs(found - FEATURES) <= step + 0.005).all()


def test_a_compressed_feature_takes_a_byte_a_value(library):
    assert len(arkio.matrix_record("a", FEATURES)) < FEATURES.size + 80 * 8 + 50


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_few_frames_can_be_compressed(tmp_path, library, frames):
    (spec,) = written(tmp_path, ("a", arkio.matrix_record("a", FEATURES[:frames])))
    np.testing.assert_allclose(arkio.read_matrix(spec), FEATURES[:frames], atol=0.05)


def test_an_ark_above_its_size_is_followed_by_the_next(tmp_path):
    with arkio.ArkWriter(tmp_path, "x", shard_bytes=1000) as writer:
        places = [writer.append(u, arkio.wave_record(u, 16000, SAMPLES)) for u in "abc"]
    assert places == ["x.0.ark:2", "x.1.ark:2", "x.2.ark:2"]
    np.testing.assert_array_equal(arkio.read_wave(f"{tmp_path}/x.2.ark:2")[1], SAMPLES)


def test_flac_in_an_ark_as_espnet_writes_it_is_read(tmp_path):
    flac = {"write_function": "soundfile", "write_kwargs": {"format": "flac"}}
    kaldiio.save_ark(f"{tmp_path}/a.ark", {"u": (16000, SAMPLES)}, scp=f"{tmp_path}/a.scp", **flac)
    spec = (tmp_path / "a.scp").read_text().split()[1]
    np.testing.assert_allclose(arkio.read_wave(spec)[1] * 32768, SAMPLES)
    assert arkio.wave_header(spec) == (16000, 1, 1000)
    assert not arkio.is_wave(spec)


def test_a_pickle_in_an_ark_is_never_opened(tmp_path):
    stream = io.BytesIO()
    pickle.dump((16000, SAMPLES), stream)
    (tmp_path / "a.ark").write_bytes(b"u PKL" + stream.getvalue())
    with pytest.raises(ValueError, match="no audio stands at .*a.ark:2"):
        arkio.read_wave(f"{tmp_path}/a.ark:2")
    with pytest.raises(ValueError, match="no matrix stands at .*a.ark:2"):
        arkio.read_matrix(f"{tmp_path}/a.ark:2")


def test_an_ark_cut_off_in_its_last_entry_is_refused(tmp_path, library):
    wave, feats = written(
        tmp_path, ("a", arkio.wave_record("a", 16000, SAMPLES)), ("b", arkio.matrix_record("b", FEATURES))
    )
    path, content = tmp_path / "x.0.ark", (tmp_path / "x.0.ark").read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(ValueError, match="unreadable matrix: .*x.0.ark"):
        arkio.read_matrix(feats)
    path.write_bytes(content[:1000])
    with pytest.raises(ValueError, match="truncated audio: .*lacks 1046 bytes"):
        arkio.read_wave(wave)
    for size, fault in ((30, "wave header that is cut off"), (42, "wave header without a data chunk")):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=f"unreadable audio: {wave}: {fault}; copy the ark anew"):
            arkio.wave_header(wave)


def test_a_wrong_offset_and_a_missing_file_are_named(tmp_path):
    (spec,) = written(tmp_path, ("a", arkio.wave_record("a", 16000, SAMPLES)))
    with pytest.raises(ValueError, match="no audio stands at .*:77"):
        arkio.read_wave(spec.replace(":2", ":77"))
    with pytest.raises(ValueError, match="missing file: no.ark"):
        arkio.read_wave("no.ark:2")
    with pytest.raises(ValueError, match="'a.flac' names no place in an ark"):
        arkio.read_wave("a.flac")


def test_omniio_takes_over_where_kaldiio_is_not_installed():
    code = "import sys; sys.modules['kaldiio'] = None; from qwen_audio.arkio import kaldi; print(kaldi)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "omniio" in found.stdout


def test_wave_bytes_are_a_wave_file_that_soundfile_reads():
    record = arkio.wave_record("abc", 16000, SAMPLES)
    assert record[:8] == b"abc RIFF"
    samples, rate = soundfile.read(io.BytesIO(record[4:]), dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(samples, SAMPLES)
