"""tools/fetch_debs.sh against a make-believe apt: no registry is asked."""

import fcntl
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools/fetch_debs.sh"
FAKES = {
    "apt-cache": '[ "$2" != nosuch ] && [ -e "$STATE/lists" ]',
    "apt-get": """echo "apt-get $*" >> "$STATE/log"
case "$*" in
*update*) touch "$STATE/lists" ;;
*download*) shift 2; for p; do echo "$p" > "${p}_1_all.deb"; done ;;
*-s*install*) echo "Inst libtool1 (1)"; echo "Inst mytool (1)"; echo "Conf mytool" ;;
*install*) touch "$STATE/installed" ;;
esac""",
    "dpkg": """p=$(cat "$2"); mkdir -p "$3/usr/bin" "$3/usr/lib/deep" "$3/usr/share/$p"
echo lib > "$3/usr/lib/deep/libx.so.1"
printf '#!/bin/sh\\necho "tool $LD_LIBRARY_PATH"\\n' > "$3/usr/bin/$p"; chmod +x "$3/usr/bin/$p" """,
    "id": 'echo "$FAKE_UID"',
}


@pytest.fixture
def fetch(tmp_path):
    """Run the script beside the fakes; fetch.log() is what apt-get was asked."""
    state, fakes = tmp_path / "state", tmp_path / "fakes"
    state.mkdir()
    fakes.mkdir()
    for name, body in FAKES.items():
        (fakes / name).write_text(f"#!/bin/sh\n{body}\n")
        (fakes / name).chmod(0o755)

    def run(*arguments, uid=1000, lists=True):
        if lists:
            (state / "lists").touch()
        env = os.environ | {
            "PATH": f"{fakes}:{os.environ['PATH']}",
            "STATE": str(state),
            "FAKE_UID": str(uid),
        }
        return subprocess.run(
            [str(SCRIPT), *arguments], cwd=tmp_path, env=env, text=True, capture_output=True
        )

    run.log = lambda: (state / "log").read_text().splitlines() if (state / "log").exists() else []
    return run


def test_packages_are_unpacked_in_one_fetch(fetch, tmp_path):
    assert fetch("--into", "deb", "one", "two").returncode == 0
    assert (tmp_path / "deb/usr/share/one").is_dir() and (tmp_path / "deb/usr/share/two").is_dir()
    assert fetch.log() == ["apt-get -qq download one two"]


def test_two_calls_do_not_fetch_at_once(fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open(tmp_path / f"fetch_debs.{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(fetch, "--into", "deb", "one")
            time.sleep(1)
            assert fetch.log() == [] and not waiting.done()
            fcntl.flock(lock, fcntl.LOCK_UN)
            done = waiting.result()
    assert done.returncode == 0 and "waiting for it" in done.stdout
    assert fetch.log() == ["apt-get -qq download one"]


def test_what_is_unpacked_is_not_fetched_again(fetch):
    fetch("--into", "deb", "one")
    fetch("--into", "deb", "one", "two")
    fetch("--into", "deb", "one", "two")
    assert fetch.log() == ["apt-get -qq download one", "apt-get -qq download two"]


def test_root_fetches_missing_lists_itself(fetch):
    assert fetch("--into", "deb", "one", uid=0, lists=False).returncode == 0
    assert fetch.log() == ["apt-get -qq update", "apt-get -qq download one"]


def test_another_user_is_told_to(fetch):
    done = fetch("--into", "deb", "one", lists=False)
    assert (
        done.returncode == 1
        and done.stderr == "fetch_debs.sh: no package one in apt's lists; as root: apt-get update\n"
    )


def test_an_unknown_package_is_named(fetch):
    done = fetch("--into", "deb", "nosuch", uid=0)
    assert done.returncode == 1 and "Debian has no package nosuch" in done.stderr


def test_a_program_that_is_there_is_left_alone(fetch):
    assert fetch("--into", "programs", "--programs", "sh").returncode == 0 and fetch.log() == []


def test_root_installs_a_missing_program(fetch):
    fetch("--into", "programs", "--programs", "mytool", uid=0)
    assert fetch.log() == ["apt-get -qq install --no-install-recommends -y mytool"]


def test_another_user_gets_a_command_that_finds_its_libraries(fetch, tmp_path):
    assert fetch("--into", "programs", "--programs", "mytool").returncode == 0
    assert fetch.log()[1] == "apt-get -qq download libtool1 mytool"
    said = subprocess.run([str(tmp_path / "programs/bin/mytool")], text=True, capture_output=True).stdout
    assert said == f"tool {tmp_path}/programs/usr/lib/deep\n"
    fetch("--into", "programs", "--programs", "mytool")
    assert len(fetch.log()) == 2
