import ast
import re
import runpy
import sys
from importlib.metadata import packages_distributions, version
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


# by the packages that they are of: typeguard checks ESPnet's arguments
COME_WITH_OTHERS = {"dcase-util": "sed-eval", "huggingface-hub": "transformers", "typeguard": "espnet"}


@pytest.fixture
def asked(monkeypatch):
    """What setup.py tells setuptools."""
    told = {}
    monkeypatch.setattr(setuptools, "setup", told.update)
    monkeypatch.chdir(TOOLS.parent)
    runpy.run_path("setup.py")
    return told


def imported(path):
    """The packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        yield from (name.partition(".")[0] for name in names)


def test_setup_py_asks_for_all_that_the_package_imports_but_what_quantises(asked):
    found = {name for path in (TOOLS.parent / "qwen_audio").rglob("*.py") for name in imported(path)}
    of = packages_distributions()
    found = {
        of[name][0].lower().replace("_", "-") for name in found - sys.stdlib_module_names - {"qwen_audio"}
    }
    found = {COME_WITH_OTHERS.get(name, name) for name in found} | {
        "python-multipart"
    }  # starlette's, for forms
    assert found - set(asked["install_requires"]) == set(asked["extras_require"]["quantize"])


def test_setup_py_asks_for_nothing_that_the_requirements_lack(asked):
    names = {*asked["install_requires"], *sum(asked["extras_require"].values(), [])}
    assert names <= set(pins("requirements.txt"))


def test_no_file_of_the_set_up_names_a_registry():
    for path in [*TOOLS.glob("*.txt"), *TOOLS.glob("*.sh"), *TOOLS.glob("*.py"), TOOLS.parent / "setup.py"]:
        assert not re.search(r"index.url|--index|/simple\b", path.read_text()), path
