import pytest

from qwen_audio.cli import run
from qwen_audio.task_folders import find_task, task_folders
from qwen_audio.task_spec import TASKS_DIR, load_tasks


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe folder, as the working folder, with a task of its own; returns the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    text = (TASKS_DIR / "sec.yaml").read_text().replace("name: sec", "name: birds")
    path = tmp_path / "tasks/birds.yaml"
    path.write_text(text)
    return path


def test_a_recipes_own_tasks_stand_beside_the_shared_ones(recipe):
    shared = set(load_tasks(TASKS_DIR))
    assert set(load_tasks()) == shared | {"birds"}
    recipe.unlink()
    assert set(load_tasks()) == shared


def test_a_task_in_both_places_names_both_files(recipe):
    recipe.with_name("asc.yaml").write_text((TASKS_DIR / "asc.yaml").read_text())
    with pytest.raises(
        ValueError, match=f"^tasks/asc.yaml: the task 'asc' stands in {TASKS_DIR}/asc.yaml too"
    ):
        load_tasks()


def test_the_shared_folder_is_not_read_twice(monkeypatch):
    monkeypatch.chdir(TASKS_DIR.parent)
    assert task_folders() == [TASKS_DIR]


def test_a_task_without_a_file_here_is_said_with_where_its_file_belongs(recipe):
    tasks = load_tasks()
    assert find_task("birds", tasks, "run.json").path.resolve() == recipe
    message = "run.json: task 'bird' is unknown; did you mean 'birds'.* copy tasks/bird.yaml"
    with pytest.raises(ValueError, match=message):
        find_task("bird", tasks, "run.json")


def test_the_table_of_tasks_has_them_too(recipe, capsys):
    run("tasks", ["birds"])
    assert "\nbirds\tsound\t" in capsys.readouterr().out
    with pytest.raises(
        SystemExit, match=r"tasks: tasks: no task 'bird'; did you mean 'birds'\? \(valid: birds\)$"
    ):
        run("tasks", ["bird", "--folder", "tasks"])
