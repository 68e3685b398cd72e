import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 8000)
    for name, line in (("wav.scp", f"a {tmp_path}/a.wav"), ("utt2spk", "a s"), ("text", "a hello")):
        (folder / name).write_text(line + "\n")
    return folder


def run(*words) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "qwen_audio", "prepare", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_prints_its_counts(data, tmp_path):
    done = run(data, tmp_path / "dump" / "raw" / "set", "--audio_format", "wav.ark")
    assert done.returncode == 0, done.stderr
    assert "read 1 utterances, 1 examples; used 1, 1 (0.00 h); rejected 0, 0" in done.stdout
    assert done.stdout.startswith(f"{data} has no utt2lang: its text is taken as English (en)\n")
    assert json.loads((tmp_path / "dump/raw/set/summary.json").read_text())["audio_format"] == "wav.ark"


def test_a_fault_is_one_line_that_names_file_and_line(data, tmp_path):
    (data / "examples.jsonl").write_text('{"utt": "a", "task": "assr", "text": "hello"}\n')
    done = run(data, tmp_path / "out")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()[-1:]
    assert f"{data}/examples.jsonl:1: unknown task 'assr'" in line and "Traceback" not in done.stderr


def test_nothing_of_torch_is_loaded_for_raw_audio(data, tmp_path):
    code = (
        "import sys; from qwen_audio.cli import run; run('prepare');"
        "print([name for name in ('torch', 'espnet2', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(data), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
