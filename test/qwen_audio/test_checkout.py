import shutil
import subprocess
import sys

import pytest

from qwen_audio.checkout import RECIPES, ROOT, need
from qwen_audio.task_spec import load_tasks

READERS = """
from qwen_audio.chat.values import names
from qwen_audio.score.paper import load_paper
from qwen_audio.sft.joined_forms import joined_forms
from qwen_audio.task_spec import load_tasks
for read in (load_tasks, load_paper, joined_forms, lambda: names("en")):
    try:
        print(read())
    except ValueError as error:
        print(error)
"""


def test_installed_without_recipes_the_package_says_so_and_how_to_install_it(tmp_path):
    shutil.copytree(
        ROOT / "qwen_audio", tmp_path / "qwen_audio", ignore=shutil.ignore_patterns("__pycache__")
    )
    command = [sys.executable, "-c", READERS]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    mend = "the package was installed without its recipes/: run tools/setup.sh in the checkout, or pip install -e ."
    assert run.stdout.splitlines() == [
        f"{tmp_path}/recipes/{name}: no such file or folder; {mend}"
        for name in ("tasks", "paper.yaml", "chat/joined.yaml", "chat/names.yaml")
    ]


def test_in_a_checkout_what_is_not_there_is_named_alone(tmp_path):
    with pytest.raises(ValueError, match=f"^{tmp_path}/mine: no such file or folder$"):
        load_tasks(tmp_path / "mine")
    assert need(RECIPES) == RECIPES
