import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    *ROOT.glob("recipes/*.sh"), *ROOT.glob("egs/*/*.sh"), *ROOT.glob("egs/*/local/*.sh"), *ROOT.glob("tools/*.sh"),
    ROOT / "test/run.sh", ROOT / ".ci/run",
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_nothing(path):
    shellcheck = Path(sys.executable).with_name("shellcheck")
    # 2034: options that a corpus has no use for
    options = ["-x", "-P", "SCRIPTDIR", "-P", ".", "-e", "SC2034"]
    result = subprocess.run(
        [shellcheck, *options, path.relative_to(ROOT)], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_called_is_executable_and_what_is_sourced_is_not(path):
    called = path.read_text().startswith("#!")
    assert bool(path.stat().st_mode & 0o100) == called


@pytest.mark.parametrize("path", sorted(ROOT.glob("egs/*/run.sh")), ids=lambda path: path.parent.name)
def test_a_recipe_without_speech_recognition_fetches_no_whisper_to_compare_it_with(path):
    tasks = re.search(r'--tasks ("[^"]+"|\w+)', path.read_text())
    if tasks and "asr" not in tasks[1].strip('"').split():
        assert "--whisper none" in path.read_text()
