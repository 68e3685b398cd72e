"""The tests of the stages share a recipe folder: shell_recipe.py says what is in it."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from shell_recipe import CONFIG, EXECUTABLE, ROOT, Recipe  # noqa: E402


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipes").mkdir()
    for path in [*ROOT.glob("recipes/*.sh"), *ROOT.glob("recipes/*.py")]:
        shutil.copy(path, tmp_path / "recipes")
    shutil.copytree(ROOT / "recipes/tasks", tmp_path / "recipes/tasks")
    for name, text in EXECUTABLE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    shutil.copy(ROOT / "tools/lock.sh", tmp_path / "tools")
    folder = tmp_path / "egs/own"
    shutil.copy(ROOT / "egs/multitask/path.sh", folder)
    for name in ("pretrain", "pretrain_full", "train_asr"):
        (folder / "conf").mkdir(exist_ok=True)
        (folder / f"conf/{name}.yaml").write_text(CONFIG)
    return Recipe(folder)
