import json

import pytest

from qwen_audio.chat import answer_sets as module
from qwen_audio.chat.answer_sets import answer_sets
from qwen_audio.chat.answers import answer_dialogues
from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text

LABELS = ["rain", "a dog that barks", "rain", "wind", "a door"]


@pytest.fixture
def sets(sound_files):
    found = []
    for number, (path, label) in enumerate(zip(sound_files, LABELS)):
        asked = Message("user", (Audio(path), Text("what is it")))
        found.append(Dialogue(f"d{number}", (asked, Message("assistant", (Text(label),)))))
    return {"one": found[:3], "two": [found[0], *found[3:]]}


def read(folder):
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_answers_stand_by_set_in_the_order_of_its_dialogues_whatever_their_batch(loaded, sets, tmp_path):
    summary = answer_sets(loaded, sets, tmp_path, "label", batch_size=2, max_new_tokens=5)
    for name, dialogues in sets.items():
        rows = read(tmp_path / name)
        expected = [answer.text for answer in answer_dialogues(loaded, dialogues, 5, max_new_tokens=5)]
        assert [row["id"] for row in rows] == [dialogue.id for dialogue in dialogues]
        assert [row["hyp"] for row in rows] == expected and len(set(expected)) > 1
    assert summary["dialogues"] == 6 and 0 <= summary["cut"] <= 6
    assert files(tmp_path) == ["one/answers.jsonl", "summary.json", "two/answers.jsonl"]


def test_dialogues_of_like_long_answers_are_answered_together(loaded, sets, tmp_path, monkeypatch):
    asked = []

    def listed(loaded, dialogues, *rest, **options):
        asked.extend(dialogues := list(dialogues))
        return answer_dialogues(loaded, dialogues, *rest, **options)

    monkeypatch.setattr(module, "answer_dialogues", listed)
    answer_sets(loaded, sets, tmp_path, "label", max_new_tokens=2)
    assert [dialogue.messages[-1].text for dialogue in asked][0] == "a dog that barks"
    assert {dialogue.messages[-1].text for dialogue in asked[1:]} == {"a door", "rain", "wind"}


def test_after_a_break_only_what_is_missing_is_answered(loaded, sets, tmp_path, monkeypatch, capsys):
    asked = []

    def broken(*_):
        raise OSError("no space left")

    def counted(loaded, dialogues, *rest, **options):
        asked.append(len(dialogues := list(dialogues)))
        return answer_dialogues(loaded, dialogues, *rest, **options)

    monkeypatch.setattr(module, "answer_dialogues", counted)
    with monkeypatch.context() as broken_disk, pytest.raises(OSError, match="no space left"):
        broken_disk.setattr(module, "write_rows", broken)
        answer_sets(loaded, sets, tmp_path, "label", max_new_tokens=4)
    lines = (tmp_path / "answers.partial.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "answers.partial.jsonl").write_text("".join(lines[:3]) + lines[3][:9])
    answer_sets(loaded, sets, tmp_path, "label", max_new_tokens=4)
    assert asked == [6, 4] and "2 dialogues were answered before the break" in capsys.readouterr().out
    whole = [read(tmp_path / name) for name in sets]
    (tmp_path / "answers.partial.jsonl").write_text("".join(lines[:3]).replace("label", "another model"))
    answer_sets(loaded, sets, tmp_path, "label", max_new_tokens=4)
    assert asked[-1] == 6 and [read(tmp_path / name) for name in sets] == whole
