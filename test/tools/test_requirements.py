import re
import runpy
from importlib.metadata import version
from pathlib import Path

import pytest
import setuptools

TOOLS = Path(__file__).parents[2] / "tools"


def pins(name):
    lines = [line.split("#")[0].strip() for line in (TOOLS / name).read_text().splitlines()]
    return dict(re.fullmatch(r"([a-z0-9-]+)==([\w.]+)", line).groups() for line in lines if line)


def test_every_requirement_is_pinned_to_the_version_of_the_constraints():
    constraints = pins("constraints.txt")
    assert {name: constraints.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


@pytest.mark.parametrize("name", pins("requirements.txt"))
def test_the_environment_has_the_pinned_version(name):
    assert version(name) == pins("requirements.txt")[name]


def test_setup_py_asks_for_nothing_that_the_requirements_lack(monkeypatch):
    asked = {}
    monkeypatch.setattr(setuptools, "setup", asked.update)
    monkeypatch.chdir(TOOLS.parent)
    runpy.run_path("setup.py")
    names = {*asked["install_requires"], *sum(asked["extras_require"].values(), [])}
    assert names <= set(pins("requirements.txt"))


def test_no_file_of_the_set_up_names_a_registry():
    for path in [*TOOLS.glob("*.txt"), *TOOLS.glob("*.sh"), *TOOLS.glob("*.py"), TOOLS.parent / "setup.py"]:
        assert not re.search(r"index.url|--index|/simple\b", path.read_text()), path
