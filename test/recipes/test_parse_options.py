import subprocess
from pathlib import Path

import pytest

PARSER = Path(__file__).parents[2] / "recipes/parse_options.sh"
SCRIPT = f"""#!/usr/bin/env bash
# What it does.
#   ./it.sh --stage 2
# shellcheck disable=SC1
set -euo pipefail
hidden=0  # no option: it stands above them

# Options
stage=0           # first stage
skip_train=false  # true: no training
tag=              # name of the run
# End of options
. {PARSER}
echo "$stage|$skip_train|$tag|$hidden"
"""


@pytest.fixture
def it(tmp_path):
    (tmp_path / "it.sh").write_text(SCRIPT)
    return lambda *args: subprocess.run(
        ["bash", tmp_path / "it.sh", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    "args, printed",
    [
        ([], "0|false||0"),
        (["--stage", "4", "--skip_train", "true"], "4|true||0"),
        (["--stage=4", "--tag=a=b"], "4|false|a=b|0"),
        (["--tag", "--seed 3"], "0|false|--seed 3|0"),
        (["--tag", "a b  c"], "0|false|a b  c|0"),
        (["--tag", "a", "--tag", ""], "0|false||0"),
    ],
)
def test_options_take_the_next_word_or_what_follows_the_sign(it, args, printed):
    assert it(*args).stdout == printed + "\n"


@pytest.mark.parametrize(
    "args, message",
    [
        (["--stagee", "1"], "unknown option --stagee; did you mean --stage?"),
        (["--skip-train", "true"], "unknown option --skip-train; did you mean --skip_train?"),
        (["--tga", "x"], "unknown option --tga; did you mean --tag?"),
        (["--hidden", "1"], "unknown option --hidden"),
        (["--PATH", "/"], "unknown option --PATH"),
        (["--stage"], "--stage needs a value"),
        (["--stage", "two"], "--stage is 'two'; it takes a number"),
        (["--skip_train", "yes"], "--skip_train is 'yes'; it takes true or false"),
        (["train"], "'train' is no option"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(it, args, message):
    result = it(*args)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("it.sh: ") and message in line


def test_help_is_the_header_and_the_option_lines(it):
    result = it("--stage", "1", "--help")
    assert result.returncode == 0
    assert result.stdout == (
        "What it does.\n  ./it.sh --stage 2\n\nOptions and what they are unless given:\n"
        "  --stage=0           # first stage\n  --skip_train=false  # true: no training\n"
        "  --tag=              # name of the run\n"
    )
