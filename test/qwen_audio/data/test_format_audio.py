import os
import shutil

import numpy as np
import pytest
import soundfile

from qwen_audio import arkio
from qwen_audio.audio import SAMPLE_RATE, num_samples, read_audio
from qwen_audio.data import format_audio
from qwen_audio.data.prepare import report


def test_a_segment_is_the_piece_between_its_times(corpus):
    wave = corpus.audio("r", 3.0, form="flac")
    corpus.segment("u1", "r", 0.5, 1.25)
    corpus.segment("u2", "r", 2.0, -1)
    corpus.segment("u3", "r", 2.5, 3.05)
    corpus.run()
    places = corpus.table("wav.scp")
    np.testing.assert_allclose(read_audio(places["u1"]), wave[8000:20000], atol=1e-4)
    np.testing.assert_allclose(read_audio(places["u2"]), wave[32000:], atol=1e-4)
    np.testing.assert_allclose(read_audio(places["u3"]), wave[40000:], atol=1e-4)


def test_a_segment_past_the_end_is_counted(corpus):
    corpus.audio("r", 3.0)
    corpus.segment("u1", "r", 0, 1)
    corpus.segment("u2", "r", 2, 3.2)
    corpus.segment("u3", "r", 4, -1)
    summary = corpus.run()
    assert summary["reasons"] == {"segment past the end": 2}
    assert ["utterance", "u2", "segment past the end: 2.0 to 3.2 s of 3.000 s"] in corpus.rejected()


def test_too_short_too_long_and_empty_audio_are_counted(corpus):
    for utt, seconds in (("a", 0.05), ("b", 0.1), ("c", 2.0), ("d", 2.1), ("e", 0)):
        corpus.add(utt, seconds)
    summary = corpus.run(max_seconds=2.0)
    assert list(corpus.table("wav.scp")) == ["b", "c"]
    assert summary["reasons"] == {"too short": 1, "too long": 1, "zero length": 1}
    assert ["utterance", "a", "too short: 0.050 s"] in corpus.rejected()


def test_a_longer_clip_of_a_scored_set_is_heard_to_the_limit(corpus):
    wave = corpus.add("a", 2.5, form="flac")
    corpus.add("b", 2.0)
    summary = corpus.run(max_seconds=2.0, cut_longer=True)
    np.testing.assert_allclose(read_audio(corpus.table("wav.scp")["a"]), wave[:32000], atol=1e-4)
    assert corpus.table("utt2num_samples") == {"a": "32000", "b": "32000"}
    assert (corpus.target / "cut.tsv").read_text() == "utterance\ta\tcut to 2 s: 2.500 s\n"
    assert summary["read"] == summary["used"] == {"utterances": 2, "examples": 2} and summary["cut"] == 1
    assert report(summary).endswith("; cut to 2 s 1")


def test_a_longer_segment_is_cut_from_its_own_beginning(corpus):
    wave = corpus.audio("r", 4.0)
    corpus.segment("u", "r", 1.0, 3.5)
    corpus.run(max_seconds=2.0, cut_longer=True)
    np.testing.assert_allclose(read_audio(corpus.table("wav.scp")["u"]), wave[16000:48000], atol=1e-4)


def test_features_of_a_longer_clip_are_of_what_is_heard(corpus):
    corpus.add("a", 2.5)
    corpus.run(feats_type="fbank", max_seconds=2.0, cut_longer=True)
    assert arkio.read_matrix(corpus.table("feats.scp")["a"]).shape == (200, 80)


def test_unusable_audio_is_counted_and_the_rest_goes_on(corpus):
    for utt in ("a", "b", "c", "d", "e", "f"):
        corpus.add(utt, form="flac" if utt == "c" else "wav")
    for utt in ("b", "c"):
        path = corpus.files["wav.scp"][utt]
        os.truncate(path, os.path.getsize(path) // 2)
    os.remove(corpus.files["wav.scp"]["d"])
    (corpus.folder / "e.wav").write_text("no audio")
    soundfile.write(corpus.folder / "f.wav", np.array([0.1, np.nan] * 8000), SAMPLE_RATE, subtype="FLOAT")
    summary = corpus.run()
    assert list(corpus.table("wav.scp")) == ["a"]
    reasons = {row[1]: row[2].split(":")[0] for row in corpus.rejected() if row[0] == "utterance"}
    assert reasons.pop("c") in ("truncated audio", "unreadable audio")
    assert reasons == {
        "b": "truncated audio",
        "d": "missing file",
        "e": "unreadable audio",
        "f": "unreadable audio",
    }
    assert summary["rejected"] == {"utterances": 5, "examples": 5}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
def test_what_libsndfile_cannot_read_is_read_by_ffmpeg(corpus, ffmpeg):
    wave = corpus.add("a", 2.0)
    made = ffmpeg(corpus.files["wav.scp"]["a"], "-c:a", "alac", corpus.folder / "a.m4a")
    corpus.files["wav.scp"]["a"] = str(made)
    corpus.run()
    np.testing.assert_allclose(read_audio(corpus.table("wav.scp")["a"]), wave, atol=1e-4)


def test_without_ffmpeg_the_reason_names_it(corpus, monkeypatch):
    corpus.add("a")
    corpus.add("b")
    (corpus.folder / "b.wav").write_bytes(b"    ftypM4A ")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    corpus.run()
    (row,) = [row for row in corpus.rejected() if row[0] == "utterance"]
    assert row[1] == "b" and "libsndfile does not know its format; install ffmpeg" in row[2]


def test_16_khz_mono_flac_is_referenced_and_not_written_again(corpus, monkeypatch):
    corpus.add("a", form="flac")
    corpus.add("b", form="flac", rate=8000)
    corpus.add("c", form="flac")
    mono, _ = soundfile.read(corpus.folder / "c.flac")
    soundfile.write(corpus.folder / "c.flac", np.stack([mono, mono], axis=1), SAMPLE_RATE)
    corpus.files["wav.scp"]["a"] = "a.flac"
    monkeypatch.chdir(corpus.folder)
    corpus.run()
    places = corpus.table("wav.scp")
    assert places["a"] == str(corpus.folder / "a.flac")
    assert sorted(path.name for path in corpus.target.rglob("*.flac")) == ["b.flac", "c.flac"]


def test_a_flac_that_does_not_say_its_length_is_written_again_with_it(corpus):
    wave = corpus.add("a", form="flac")
    path = corpus.folder / "a.flac"
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # the 36 bits for the number of samples
    path.write_bytes(content)
    corpus.files["wav.scp"] |= {"a": str(path), "b": f"cat {path} |"}
    corpus.files["utt2spk"]["b"], corpus.files["text"]["b"] = "s", "hello"
    corpus.run()
    for place in map(corpus.table("wav.scp").get, "ab"):
        assert place.startswith(str(corpus.target)) and soundfile.info(place).frames == len(wave)


def test_a_wave_in_an_ark_is_referenced_where_arks_are_asked_for(corpus):
    corpus.add("a")
    record = arkio.wave_record("a", SAMPLE_RATE, np.zeros(8000, np.int16))
    (corpus.folder / "x.ark").write_bytes(record)
    corpus.files["wav.scp"]["a"] = f"{corpus.folder}/x.ark:2"
    corpus.run(audio_format="wav.ark")
    assert corpus.table("wav.scp") == {"a": f"{corpus.folder}/x.ark:2"}
    corpus.run(audio_format="flac")
    assert corpus.table("wav.scp")["a"].endswith("/a.flac")


def test_another_rate_keeps_its_duration(corpus):
    corpus.add("a", seconds=0.7, rate=44100)
    corpus.run()
    (path,) = corpus.table("wav.scp").values()
    assert num_samples(path) == int(corpus.table("utt2num_samples")["a"]) == 11200


def test_the_header_length_is_the_one_that_is_listed(corpus):
    for utt in "abc":
        corpus.add(utt, seconds=0.3 + ord(utt) / 999, rate=22050)
    corpus.run(audio_format="wav.ark")
    lengths = corpus.table("utt2num_samples")
    assert {utt: num_samples(spec) for utt, spec in corpus.table("wav.scp").items()} == {
        utt: int(length) for utt, length in lengths.items()
    }


def test_features_of_an_ark_are_close_to_those_of_the_audio(corpus):
    for utt in "ab":
        corpus.add(utt, seconds=ord(utt) / 60, rate=22050)
    corpus.run(audio_format="wav.ark")
    waves = {utt: read_audio(spec) for utt, spec in corpus.table("wav.scp").items()}
    corpus.run(feats_type="fbank")
    assert not (corpus.target / "wav.scp").exists()
    lengths = corpus.table("utt2num_samples")
    for utt, spec in corpus.table("feats.scp").items():
        found, wanted = arkio.read_matrix(spec), format_audio.fbank(waves[utt])
        assert found.shape == (int(lengths[utt]) // 160, 80)
        assert int(lengths[utt]) == len(waves[utt])
        np.testing.assert_allclose(found, wanted, atol=0.03)


def test_features_are_those_of_whisper(corpus):
    from transformers import WhisperFeatureExtractor

    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SAMPLE_RATE).astype(np.float32)
    extractor = WhisperFeatureExtractor(feature_size=80)
    wanted = extractor(wave, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features[0].T
    np.testing.assert_allclose(format_audio.fbank(wave), wanted[:200], atol=1e-4)
