import subprocess
import sys
from pathlib import Path

import pytest

CLIP = Path(__file__).parents[2] / "egs" / "spaced_words.flac"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    tables = {"wav.scp": CLIP, "utt2spk": "s", "text": "please enter your number"}
    for name, line in tables.items():
        (folder / name).write_text(f"s-1 {line}\n")
    return folder


def run(*words) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "qwen_audio", "align", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_prints_its_counts_and_loads_no_torch(data):
    code = "import sys; from qwen_audio.cli import run; run('align'); print('torch' in sys.modules)"
    words = ["--data", data, "--aligner", "pocketsphinx"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts, torch = done.stdout.splitlines()
    assert counts.endswith("data: read 1 transcripts; aligned 1; rejected 0 (align_rejected.tsv)")
    assert torch == "False"


def test_a_prepared_set_is_to_be_tokenised_again(data):
    (data / "utt2num_samples").write_text("s-1 53642\n")
    assert "tokenised before, do that again" in run("--data", data, "--aligner", "pocketsphinx").stdout


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "--aligner is missing; name one of pocketsphinx, model, textgrid, ctm, funasr"),
        (["--plot", "s-1"], "--plot and --output go together"),
        (["--aligner", "ctm", "--files", "none"], "none: No such file or directory"),
    ],
)
def test_a_fault_is_one_line(data, words, said):
    done = run("--data", data, *words)
    assert done.returncode == 1 and said in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
