"""Where the files of tasks stand: recipes/tasks/ of the checkout, and tasks/ of the recipe in which a command runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from qwen_audio.checkout import RECIPES
from qwen_audio.registry import nearest

TASKS_DIR = RECIPES / "tasks"
OWN_TASKS = Path("tasks")  # beside the conf/ of a recipe
Spec = TypeVar("Spec")


def task_folders(shared: Path = TASKS_DIR) -> list[Path]:
    """``shared``, and the recipe's own folder where it has one."""
    own = OWN_TASKS.is_dir() and OWN_TASKS.resolve() != shared.resolve()
    return [shared, OWN_TASKS] if own else [shared]


def find_task(name: str, tasks: Mapping[str, Spec], where: Path) -> Spec:
    """The task ``name``, which the file ``where`` tells of.

    Raises:
        ValueError: if it has no file here.
    """
    if name in tasks:
        return tasks[name]
    raise ValueError(
        f"{where}: task {name!r} is unknown{nearest(name, tasks)}; a task of a recipe's own needs its file in"
        f" {OWN_TASKS}/ of the folder where the command runs: run it in the recipe's, or copy {OWN_TASKS / name}.yaml"
    )
