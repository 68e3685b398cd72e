import subprocess
import sys

import pytest

from qwen_audio import cli


def test_an_unknown_command_names_the_nearest(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qwen-audio", "tokenise"])
    with pytest.raises(SystemExit, match="unknown command 'tokenise'; did you mean 'tokenize'"):
        cli.main()


@pytest.mark.parametrize("name", ["check-leak", "check_leak"])
def test_a_command_may_be_written_with_a_hyphen(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["qwen-audio", name, "--help"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0 and "usage: qwen-audio check_leak" in capsys.readouterr().out


def test_a_command_runs_without_the_console_script():
    command = [sys.executable, "-m", "qwen_audio", "tags", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: qwen-audio tags")


def test_a_fault_of_the_input_is_one_line_and_a_traceback_only_under_debug(tmp_path):
    with pytest.raises(SystemExit, match=r"^qwen-audio config: .*gone\.yaml: no such configuration file$"):
        cli.run("config", [str(tmp_path / "gone.yaml")])
    with pytest.raises(ValueError, match="no such configuration file"):
        cli.run("config", [str(tmp_path / "gone.yaml"), "--debug"])


def test_an_error_of_the_system_names_the_file_and_no_number(tmp_path):
    with pytest.raises(OSError) as error:
        open(tmp_path / "gone.jsonl")
    assert cli.one_line(error.value) == f"{tmp_path}/gone.jsonl: No such file or directory"
    assert cli.one_line(ValueError("a\n  b")) == "a b"


@pytest.mark.parametrize("name", cli.commands())
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.run(name, ["--help"])
    assert end.value.code == 0
    assert f"qwen-audio {name} " in capsys.readouterr().out.split("options:")[0].split("\n\n", 1)[1]


def test_the_usage_lists_every_command():
    assert all(f"  {name} " in cli.usage() for name in cli.commands())
