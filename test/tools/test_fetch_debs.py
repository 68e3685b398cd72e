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
    "apt-get": """echo "apt-get $* $APT_CONFIG" >> "$STATE/log"
case "$*" in
*update*) touch "$STATE/lists"; rm -f "$STATE/old"; [ ! -e "$STATE/offline" ] ;;
*download*) [ ! -e "$STATE/old" ] || exit 100; shift 2; for p; do echo "$p" > "${p}_1_all.deb"; done ;;
*-s*install*) echo "Inst libtool1 (1)"; echo "Inst mytool (1)"; echo "Conf mytool" ;;
*install*) [ ! -e "$STATE/old" ] && touch "$STATE/installed" ;;
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

    def log(with_conf=False):
        lines = (state / "log").read_text().splitlines() if (state / "log").exists() else []
        return lines if with_conf else [line.rpartition(" ")[0] for line in lines]

    run.log = log
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


def test_another_user_gets_lists_of_his_own_that_stay(fetch, tmp_path):
    assert fetch("--into", "deb", "one", lists=False).returncode == 0
    own = tmp_path / "deb/.apt"
    assert (own / "apt.conf").read_text() == (
        f'Dir::State::lists "{own}/lists";\nDir::Cache "{own}/cache";\n'
    )
    assert (own / "lists/partial").is_dir() and (own / "cache/archives/partial").is_dir()
    assert fetch("--into", "deb", "two").returncode == 0
    (tmp_path / "state/lists").unlink()
    assert fetch("--into", "programs", "two", uid=0, lists=False).returncode == 0
    with_own, without = f" {own}/apt.conf", " "
    assert fetch.log(with_conf=True) == [
        f"apt-get -qq update{with_own}",
        f"apt-get -qq download one{with_own}",
        f"apt-get -qq download two{with_own}",
        f"apt-get -qq update{without}",
        f"apt-get -qq download two{without}",
    ]


@pytest.mark.parametrize("uid", [0, 1000])
def test_lists_that_are_out_of_date_are_fetched_anew(fetch, tmp_path, uid):
    (tmp_path / "state/old").touch()
    assert fetch("--into", "deb", "one", uid=uid).returncode == 0
    assert (tmp_path / "deb/usr/share/one").is_dir()
    assert fetch.log() == [f"apt-get -qq {call}" for call in ("download one", "update", "download one")]


def test_a_program_is_installed_with_new_lists_where_the_old_name_one_that_is_gone(fetch, tmp_path):
    (tmp_path / "state/old").touch()
    assert fetch("--into", "programs", "--programs", "mytool", uid=0).returncode == 0
    assert (tmp_path / "state/installed").exists() and len(fetch.log()) == 3


def test_lists_that_cannot_be_fetched_are_one_line(fetch, tmp_path):
    (tmp_path / "state/offline").touch()
    done = fetch("--into", "deb", "one", lists=False)
    assert (done.returncode, done.stderr) == (
        1, "fetch_debs.sh: apt's lists of packages could not be fetched\n",
    )  # fmt: skip


def test_without_locks_on_the_file_system_it_goes_on(fetch, tmp_path):
    (tmp_path / "fakes/flock").write_text("#!/bin/sh\necho 'flock: 9: No locks available' >&2\nexit 71\n")
    (tmp_path / "fakes/flock").chmod(0o755)
    done = fetch("--into", "deb", "one")
    assert (done.returncode, done.stdout, done.stderr) == (0, "fetching one\n", "")


def test_help_is_the_header(fetch):
    said = fetch("--help").stdout.splitlines()
    assert said[0].startswith("Fetch Debian packages") and said[-1].endswith("in DIR/.apt.")


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


def test_a_command_in_a_folder_with_a_blank_in_its_name_starts(fetch, tmp_path):
    assert fetch("--into", "my $HOME's", "--programs", "mytool").returncode == 0
    said = subprocess.run([str(tmp_path / "my $HOME's/bin/mytool")], text=True, capture_output=True).stdout
    assert said == f"tool {tmp_path}/my $HOME's/usr/lib/deep\n"
