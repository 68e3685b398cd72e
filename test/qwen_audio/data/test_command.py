import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import qwen_audio
from qwen_audio.audio import AudioError, read_audio
from qwen_audio.data.command import command_audio

SIZE = slice(40, 44)  # of the data, in the header that soundfile writes


@pytest.fixture
def wav(tmp_path):
    """A second of noise at 16 kHz."""
    path = tmp_path / "a b.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 16000)
    return path


@pytest.mark.parametrize("form", ["cat '{}' |", "cat < '{}' | cat|", "true; cat '{}' | "])
def test_what_a_command_writes_is_the_recording(wav, form):
    np.testing.assert_array_equal(command_audio(form.format(wav)), read_audio(str(wav)))


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_it_may_write_any_format_of_a_file(tmp_path, name):
    soundfile.write(tmp_path / name, np.zeros(44100), 44100)
    np.testing.assert_array_equal(command_audio(f"cat {tmp_path}/{name} |"), read_audio(f"{tmp_path}/{name}"))


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF, 32000 + 2])
def test_a_wave_whose_header_does_not_know_its_length_is_read_to_the_end(wav, size):
    whole, content = read_audio(str(wav)), bytearray(wav.read_bytes())
    content[SIZE] = size.to_bytes(4, "little")
    wav.write_bytes(content)
    np.testing.assert_array_equal(command_audio(f"cat '{wav}' |"), whole)


def test_a_wave_that_lacks_much_of_what_its_header_says_is_refused(wav):
    with pytest.raises(AudioError, match=r"truncated audio: what `head .*` writes lacks 16000 bytes"):
        command_audio(f"head -c 16044 '{wav}' |")


@pytest.mark.parametrize(
    "command, message",
    [
        ("echo first >&2; echo the last >&2; exit 3", "ended with status 3; it said: the last$"),
        ("no_such_program_here", "ended with status 127; it said: .*not found$"),
        ("cat x.wav; kill -9 $$", "ended with status -9; it said: cat: x.wav: No such file"),
        ("printf 'in\\rout\\n' >&2", "wrote nothing; it said: out$"),
        ("true", "wrote nothing$"),
        ("cat", "wrote nothing$"),  # it has no input to wait for
    ],
)
def test_a_command_that_fails_or_writes_nothing_says_why(command, message):
    with pytest.raises(AudioError, match=f"^failed command: `.*` {message}"):
        command_audio(f"{command} |")


def test_what_is_no_audio_is_named_by_the_command_with_what_it_said():
    with pytest.raises(AudioError, match="^unreadable audio: what `.*` writes: .*; it said: sorry$"):
        command_audio("echo no audio; echo sorry >&2 |")


def test_nothing_stays_on_the_disk(wav, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    command_audio(f"cat '{wav}' |")
    with pytest.raises(AudioError):
        command_audio("false |")
    assert list((tmp_path / "here").iterdir()) == []


def test_nothing_but_stage_1_and_the_aligners_can_run_a_command():
    """Not the server, nor a chat, nor decoding: they read audio by qwen_audio/audio.py, which refuses one."""
    package = Path(qwen_audio.__file__).parent
    files = {path for path in package.rglob("*.py") if "data.command" in path.read_text(encoding="utf-8")}
    assert {path.relative_to(package).as_posix() for path in files} == {
        "data/format_audio.py",
        "align/transcripts.py",
    }


def test_one_command_serves_all_segments_and_one_that_fails_is_counted(corpus):
    wave = corpus.audio("r", 2.0)
    corpus.audio("s", 1.0)
    ran, path = corpus.folder / "ran", corpus.files["wav.scp"]["r"]
    corpus.files["wav.scp"]["r"] = f"echo r >> {ran}; cat {path} |"
    corpus.files["wav.scp"]["s"] = f"echo s >> {ran}; echo no disk >&2; false |"
    for number in range(4):
        corpus.segment(f"u{number}", "rs"[number % 2], number / 10, number / 10 + 0.5)
    summary = corpus.run()
    assert ran.read_text() == "r\ns\n"
    assert list(corpus.table("wav.scp")) == ["u0", "u2"] and summary["reasons"] == {"failed command": 2}
    np.testing.assert_allclose(read_audio(corpus.table("wav.scp")["u2"]), wave[3200:11200], atol=1e-4)
    assert all("status 1; it said: no disk" in row[2] for row in corpus.rejected())


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
@pytest.mark.parametrize("form", ["wav", "aiff", "flac"])
def test_commands_as_espnet_writes_them_run_in_every_process(corpus, form):
    waves = {name: corpus.add(name, rate=48000) for name in "abc"}
    for name, path in corpus.files["wav.scp"].items():
        corpus.files["wav.scp"][name] = f"ffmpeg -v error -i {path} -f {form} -ar 16000 -ac 1 - |"
    corpus.run(nj=2)
    assert corpus.table("utt2num_samples") == dict.fromkeys(waves, "16000")
    assert set(corpus.table("wav.scp")) == set(waves) and corpus.rejected() == []
