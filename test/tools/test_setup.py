"""The shell of tools/setup.sh, in a small checkout whose python and uv write down what they are asked."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
# Stands for the interpreter found, for the one of the environment, and for uv.
STUB = """#!/bin/bash
echo "${0##*/} $*" >> "$LOG"
if [[ $* == "-m venv"* ]]; then
    mkdir -p "${@: -1}/bin"
    cp "$0" "${@: -1}/bin/python"
    cp "$0" "${@: -1}/bin/uv"
fi
if [[ $* == *requirements.txt* ]]; then sleep "${SLOW:-0}"; fi
if [[ -n ${BREAK:-} && "${0##*/} $*" =~ $BREAK ]]; then exit 1; fi
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("setup.sh", "lock.sh"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    python = tmp_path / "python3.12"
    python.write_text(STUB)
    python.chmod(0o755)
    (tmp_path / "tools/find_python.sh").write_text(f"#!/bin/sh\necho {python}\n")
    (tmp_path / "tools/find_python.sh").chmod(0o755)
    (tmp_path / "tools/requirements.txt").write_text("torch==2\n")
    (tmp_path / "tools/constraints.txt").write_text("torch==2\nnumpy==2\n")
    (tmp_path / "setup.py").write_text("")
    return tmp_path


def setup(checkout, *arguments, **variables):
    env = {"PATH": os.environ["PATH"], "LOG": str(checkout / "log"), **variables}
    command = [checkout / "tools/setup.sh", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(checkout, *arguments, **variables):
    process = setup(checkout, *arguments, **variables)
    out, err = process.communicate()
    return process.returncode, out + err


def calls(checkout, word):
    return [line for line in (checkout / "log").read_text().splitlines() if word in line]


def test_the_first_call_makes_the_environment_with_pinned_packages_and_this_checkout(checkout):
    assert run(checkout)[0] == 0
    assert len(calls(checkout, "-m venv")) == 1
    (pins,) = calls(checkout, "-r ")
    assert pins.startswith("uv pip install") and f"-c {checkout}/tools/constraints.txt" in pins
    assert len(calls(checkout, f"-e {checkout}")) == 1


def test_a_second_call_does_nothing_and_takes_less_than_two_seconds(checkout):
    run(checkout)
    before, start = (checkout / "log").read_text(), time.monotonic()
    assert run(checkout) == (0, "")
    assert time.monotonic() - start < 2
    assert (checkout / "log").read_text() == before


@pytest.mark.parametrize("file", ["tools/requirements.txt", "tools/constraints.txt", "setup.py"])
def test_a_change_of_what_it_is_made_from_installs_again_into_the_same_environment(checkout, file):
    run(checkout)
    with (checkout / file).open("a") as out:
        out.write("# more\n")
    assert run(checkout)[0] == 0
    assert len(calls(checkout, "-r ")) == 2
    assert len(calls(checkout, "-m venv")) == 1


def test_an_interrupted_set_up_does_not_count_and_begins_anew(checkout):
    status, _ = run(checkout, BREAK="requirements.txt")
    assert status != 0 and not (checkout / "tools/venv/.stamp").exists()
    status, output = run(checkout)
    assert status == 0 and "interrupted" in output
    assert len(calls(checkout, "-m venv")) == 2
    assert run(checkout) == (0, "")


def test_an_environment_of_the_users_own_is_never_cleared(checkout):
    own = checkout / "own"
    (own / "bin").mkdir(parents=True)
    for name in ("python", "uv"):
        shutil.copy(checkout / "python3.12", own / "bin" / name)
    assert run(checkout, QWEN_AUDIO_VENV=str(own), BREAK="requirements.txt")[0] != 0
    assert run(checkout, QWEN_AUDIO_VENV=str(own))[0] == 0
    assert calls(checkout, "-m venv") == []
    assert "--force-reinstall" in calls(checkout, "-r ")[-1]
    assert not (checkout / "tools/venv").exists()


def test_pip_does_what_uv_cannot(checkout):
    status, output = run(checkout, BREAK="^uv ")
    assert status == 0 and "pip" in output
    assert [line.split()[0] for line in calls(checkout, "-r ")] == ["uv", "python"]


def test_of_two_at_once_one_installs_and_the_other_waits(checkout):
    both = [setup(checkout, SLOW="1"), setup(checkout, SLOW="1")]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(calls(checkout, "-r ")) == 1
    assert sum("waiting" in output for output in outputs) == 1


def test_without_locks_on_the_file_system_it_goes_on(checkout):
    (checkout / "bin").mkdir()
    (checkout / "bin/flock").write_text("#!/bin/sh\necho 'flock: 9: No locks available' >&2\nexit 71\n")
    (checkout / "bin/flock").chmod(0o755)
    status, output = run(checkout, PATH=f"{checkout}/bin:{os.environ['PATH']}")
    assert status == 0 and "waiting" not in output and len(calls(checkout, "-r ")) == 1


def test_help_is_the_header_and_another_option_an_error_and_neither_installs(checkout):
    status, output = run(checkout, "--help")
    assert status == 0 and output.startswith("Make the Python environment") and output.endswith("3.13)\n")
    assert run(checkout, "--nodeps") == (
        1,
        "setup.sh: unknown option --nodeps; it takes --help, and variables\n",
    )
    assert not (checkout / "log").exists()


def test_a_missing_python_makes_no_environment(checkout):
    (checkout / "tools/find_python.sh").write_text("#!/bin/sh\necho 'no Python' >&2\nexit 1\n")
    status, output = run(checkout)
    assert status == 1 and "no Python" in output
    assert not (checkout / "tools/venv/bin").exists()


def test_an_environment_named_by_a_relative_path_is_refused(checkout):
    status, output = run(checkout, QWEN_AUDIO_VENV="venv")
    assert status == 1 and "QWEN_AUDIO_VENV=venv" in output and len(output.splitlines()) == 1
