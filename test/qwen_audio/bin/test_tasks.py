import subprocess
import sys

import pytest

from qwen_audio.cli import run
from qwen_audio.task_spec import TASKS_DIR, load_tasks


def printed(capsys, *words):
    run("tasks", [str(word) for word in words])
    return capsys.readouterr().out.splitlines()


def test_the_table_has_every_task_with_its_prompt_form_metrics_datasets_and_score(capsys):
    header, *rows = [line.split("\t") for line in printed(capsys)]
    assert header == ["name", "group", "prompt", "output", "metrics", "datasets", "paper"]
    assert sorted(row[0] for row in rows) == sorted(load_tasks()) and {len(row) for row in rows} == {7}
    table = {row[0]: row[1:] for row in rows}
    assert table["asc"] == [
        "sound", "<|startofanalysis|><|unknown|><|keyword|><|en|><|notimestamps|><|scene|>", "LABEL",
        "accuracy", "cochlscene, tut2017", "CochlScene test ACC 0.795, TUT2017 eval ACC 0.649",
    ]  # fmt: skip
    assert table["ic"][2] == "<|scenario|>SCENARIO<|action|>ACTION"
    assert table["sed"][2:4] == ["<|START|>LABEL<|END|>… or none", "sed segment, sed event"]
    assert table["mna"][2].endswith("<|instrument|>INSTRUMENT[<|sonic|>A, B…]")
    assert [row[1] for row in rows] == ["speech"] * 17 + ["sound"] * 5 + ["music"] * 8


def test_an_example_shows_every_piece_and_that_only_the_answer_is_trained(capsys):
    title, header, *lines = printed(capsys, "sd", "--example")
    assert title == "# sd: Speaker diarization" and header == "part\tloss\tkind\tpiece"
    pieces = [line.split("\t") for line in lines]
    assert [piece for *_, piece in pieces] == [
        "<audio>", "[[[AUDIO:modality]]]", "</audio>", "<|startofanalysis|>", "<|en|>", "<|keyword|>",
        "<|en|>", "<|timestamps|>", "<|speaker_diarization|>",
        "<|0.00|>", "1", "<|1.20|>", "<|0.90|>", "2", "<|2.35|>", "<|endoftext|>",
    ]  # fmt: skip
    assert [part for part, *_ in pieces] == ["prompt"] * 9 + ["answer"] * 7
    assert [loss for _, loss, *_ in pieces] == ["0"] * 9 + ["1"] * 7
    assert [piece for _, _, kind, piece in pieces if kind == "text"] == ["1", "2"]


def test_every_task_has_an_example(capsys):
    shown = "\n".join(printed(capsys, "--example")).split("\n\n")
    assert sorted(text.split(":")[0] for text in shown) == [f"# {name}" for name in sorted(load_tasks())]


def test_a_task_of_another_folder_is_shown_too(capsys, tmp_path):
    content = (TASKS_DIR / "sec.yaml").read_text().replace("name: sec", "name: birds")
    (tmp_path / "birds.yaml").write_text(content)
    assert printed(capsys, "--folder", tmp_path)[1].startswith("birds\tsound\t")


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(
        SystemExit, match="^qwen-audio tasks: .*recipes/tasks: no task 'srtw'; did you mean 'srwt'"
    ):
        run("tasks", ["srtw"])


def test_neither_table_nor_example_needs_a_model_library():
    code = (
        "import sys; from qwen_audio.cli import run; run('tasks', ['sd', '--example']); run('tags', []);"
        "print([name for name in ('torch', 'espnet2', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
