import json
from pathlib import Path

import pytest

from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text, write_dialogues
from qwen_audio.score.chat_sets import score_chat_sets, split_chat
from qwen_audio.score.results import write_results
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.task_spec import load_tasks


def turn(role, text, *audios):
    return Message(role, (*map(Audio, audios), Text(text)))


def longest(number, right):
    """A dialogue that asks which of two recordings is the longer one."""
    audios = [f"clips/a{number}.flac", f"clips/b{number}.flac"]
    asked = turn("user", "Which recording is the longest?", *audios)
    facts = {"form": "which_long", "lang": "en", "values": {"which": right}, "utts": ["a", "b"]}
    about = {"source": "joined", "task": "joined", "label_origin": "real", "facts": facts}
    return Dialogue(f"j{number}", (asked, turn("assistant", f"The longest is Audio {right}.")), about)


@pytest.fixture
def sets(tmp_path):
    """Folders of seven answered dialogues of a set, five of them right, and of training dialogues."""
    made, answered, train = (
        tmp_path / name
        for name in ("sft/one_test_joined", "exp/sft_x/decode/one_test_joined", "sft/one_train")
    )
    for folder in (made, answered, train, tmp_path / "raw/one_train"):
        folder.mkdir(parents=True)
    dialogues = [longest(number, 1 + number % 2) for number in range(7)]
    write_dialogues(made / "dialogues.jsonl", dialogues)
    write_dialogues(train / "dialogues.jsonl", [longest(number, 1) for number in range(3)])
    (tmp_path / "raw/one_train/examples.jsonl").write_text("")
    rows = [
        {"id": d.id, "hyp": d.messages[-1].text if n < 5 else "I do not know."}
        for n, d in enumerate(dialogues)
    ]
    (answered / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels = TrainLabels.read([tmp_path / "raw/one_train"], load_tasks())
    return [(answered, made, tmp_path / "raw/one_test")], labels, [train]


def test_exact_answers_are_counted_beside_the_most_frequent_answer_of_training(sets):
    (row,) = score_chat_sets(*sets)["rows"]
    assert (row["model"], row["stage"], row["set"]) == ("sft_x", "sft", "one_test_joined")
    assert (row["task"], row["count"], row["malformed"]) == ("joined", 7, 2)
    assert row["score"] == pytest.approx(5 / 7) and row["baseline"] == pytest.approx(4 / 7)


def test_five_dialogues_stand_in_the_report_as_they_came(sets, tmp_path):
    found = score_chat_sets(*sets)
    assert [row["id"] for row in found["dialogues"]] == ["j0", "j2", "j3", "j4", "j6"]
    write_results(tmp_path / "out", {"command": "x", "examples": [], **found})
    report = (tmp_path / "out/RESULTS.md").read_text()
    assert (
        "    one_test_joined j6, sft_x\n"
        "    user: [Audio 1: a6] [Audio 2: b6] Which recording is the longest?\n"
        "    assistant, as it answered: I do not know.\n"
        "    right would be: The longest is Audio 1.\n"
    ) in report
    assert json.loads((tmp_path / "out/results.json").read_text())["dialogues"][4]["hyp"] == "I do not know."


def test_what_the_frame_cache_saved_stands_in_the_report_as_it_was_measured(sets, tmp_path):
    assert score_chat_sets(*sets)["frame_cache"] == []
    measured = {"computed_seconds": 3.0, "cached_seconds": 2.0, "ratio": 1.5, "steps": 5, "device": "cpu"}
    measured |= {"fill_seconds": 0.02, "whole": {"steps": 90, "recordings": 400, "heard": 950, "ratio": 1.44}}
    (tmp_path / "exp/sft_x/frame_cache.json").write_text(json.dumps(measured))
    write_results(tmp_path / "out", {"command": "x", "examples": [], **score_chat_sets(*sets)})
    (line,) = [x for x in (tmp_path / "out/RESULTS.md").read_text().splitlines() if x.startswith("- sft_x: ")]
    assert "takes 2.00 s" in line and "3.00 s where they are computed: 1.50 times as fast (cpu" in line
    assert "mean of 5 steps" in line and "took 20 ms a recording" in line
    assert "90 steps hear 400 recordings 950 times, takes by that 1.44 times as long" in line


def test_the_three_folders_are_written_with_colons():
    assert split_chat("a/b:c:d") == (Path("a/b"), Path("c"), Path("d"))
    with pytest.raises(ValueError, match="--chat 'a:b'; write EXP/decode/SET:SFT/SET:DUMP/SET"):
        split_chat("a:b")
