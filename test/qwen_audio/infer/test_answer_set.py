import json

import pytest
import soundfile

from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text
from qwen_audio.infer import answer_set as module
from qwen_audio.infer.answer_set import answer_set
from qwen_audio.infer.chat import answer_dialogues


@pytest.fixture
def dialogues(sounds, tmp_path):
    found = []
    for number, wave in enumerate(sounds):
        path = str(tmp_path / f"{number}.wav")
        soundfile.write(path, wave, 16000, subtype="FLOAT")
        asked = Message("user", (Audio(path), Text("what is it")))
        found.append(Dialogue(f"d{number}", (asked, Message("assistant", (Text("rain"),)))))
    return found


def read(folder):
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def test_answers_stand_in_the_order_of_the_dialogues_whatever_their_batch(loaded, dialogues, tmp_path):
    summary = answer_set(loaded, dialogues, tmp_path / "out", "label", batch_size=2, max_new_tokens=5)
    expected = list(answer_dialogues(loaded, dialogues, 5, max_new_tokens=5))
    assert [row["id"] for row in read(tmp_path / "out")] == [f"d{number}" for number in range(5)]
    assert [row["hyp"] for row in read(tmp_path / "out")] == [answer.text for answer in expected]
    assert len({row["hyp"] for row in read(tmp_path / "out")}) > 1
    assert summary["dialogues"] == 5 and 0 <= summary["cut"] <= 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["answers.jsonl", "summary.json"]


def test_after_a_break_only_what_is_missing_is_answered(loaded, dialogues, tmp_path, monkeypatch, capsys):
    out, asked = tmp_path / "out", []

    def broken(*_):
        raise OSError("no space left")

    def counted(loaded, dialogues, *rest, **options):
        asked.append(sorted(dialogue.id for dialogue in dialogues))
        return answer_dialogues(loaded, dialogues, *rest, **options)

    monkeypatch.setattr(module, "answer_dialogues", counted)
    with monkeypatch.context() as broken_disk, pytest.raises(OSError, match="no space left"):
        broken_disk.setattr(module.os, "replace", broken)
        answer_set(loaded, dialogues, out, "label", max_new_tokens=4)
    lines = (out / "answers.partial.jsonl").read_text().splitlines(keepends=True)
    first = [json.loads(line)["id"] for line in lines[1:3]]
    (out / "answers.partial.jsonl").write_text("".join(lines[:3]) + lines[3][:9])
    answer_set(loaded, dialogues, out, "label", max_new_tokens=4)
    assert asked == [[f"d{n}" for n in range(5)], sorted({f"d{n}" for n in range(5)} - {*first})]
    assert "2 dialogues were answered before the break" in capsys.readouterr().out
    whole = read(out)
    (out / "answers.partial.jsonl").write_text("".join(lines[:3]).replace("label", "another model"))
    answer_set(loaded, dialogues, out, "label", max_new_tokens=4)
    assert asked[-1] == [f"d{n}" for n in range(5)] and read(out) == whole
