"""What the tests of the pages share: whether a command that stands on one is understood."""

import argparse
import importlib
import shlex
import subprocess
from pathlib import Path

import pytest

from qwen_audio.cli import _module, commands

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def understand(tmp_path):
    """Function (line of ``qwen-audio NAME ...`` or ``./run.sh ...``): fails where an option or value is refused."""

    def check(line: str) -> None:
        program, *words = shlex.split(line, comments=True)
        if program == "qwen-audio":
            name, *given = words
            assert name.replace("-", "_") in commands()
            parser = argparse.ArgumentParser()
            importlib.import_module(f"qwen_audio.bin.{_module(name.replace('-', '_'))}").add_arguments(parser)
            parser.parse_args(given)
        else:
            assert program == "./run.sh"
            options = (
                (RECIPES / "audio_llm.sh").read_text().partition("# Options\n")[2].partition("# End of")[0]
            )
            (tmp_path / "run.sh").write_text(
                f"# Options\n{options}# End of options\n. {RECIPES}/parse_options.sh\n"
            )
            done = subprocess.run(["bash", tmp_path / "run.sh", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    return check
