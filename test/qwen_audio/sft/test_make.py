import json
import re
from collections import Counter

import pytest

from qwen_audio.cli import run
from qwen_audio.data.dialogue import read_dialogues
from qwen_audio.sft.make import make_sft, text_dialogues


def files(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def text_file(tmp_path, *messages):
    path = tmp_path / "text.jsonl"
    roles = ("user", "assistant")
    rows = [{"role": roles[at % 2], "content": content} for at, content in enumerate(messages)]
    path.write_text(json.dumps({"id": "t1", "messages": rows}) + "\n")
    return path


def test_the_same_command_writes_the_same_files(prepared, tmp_path):
    for out in ("one", "two"):
        run("make_sft", ["--data", str(prepared), "--out", str(tmp_path / out), "--count", "5"])
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert set(files(tmp_path / "one")) == {"dialogues.jsonl", "rejected.tsv", "summary.json"}


def test_the_summary_counts_what_was_written(prepared, tasks, tmp_path):
    summary = make_sft(prepared, tmp_path / "out", tasks, count=4)
    found = Counter(
        "/".join((d.about["source"], d.about["task"], d.about["facts"]["form"])).replace(
            "joined/joined", "joined"
        )
        for d in read_dialogues(tmp_path / "out" / "dialogues.jsonl")
    )
    assert summary["dialogues"] == {"all": found.total(), **found}
    lines = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()
    assert summary["rejected"]["all"] == len(lines)


def test_only_recordings_of_the_set_are_used(prepared, tasks, tmp_path):
    make_sft(prepared, tmp_path / "out", tasks, count=4)
    own = {line.split()[1] for line in (prepared / "wav.scp").read_text().splitlines()}
    used = {
        audio
        for dialogue in read_dialogues(tmp_path / "out" / "dialogues.jsonl")
        for message in dialogue.messages
        for audio in message.audios
    }
    assert used and used <= own


def test_text_dialogues_are_added_under_their_own_source(prepared, tasks, tmp_path):
    text = text_file(tmp_path, "What is 2 + 2?", "4")
    summary = make_sft(prepared, tmp_path / "out", tasks, sources=("template",), text=text)
    assert summary["dialogues"]["text"] == 1
    last = list(read_dialogues(tmp_path / "out" / "dialogues.jsonl"))[-1]
    assert (last.about["source"], last.about["task"], last.messages[1].text) == ("text", "text", "4")


def test_a_text_dialogue_with_audio_is_named(tmp_path):
    text = text_file(tmp_path, [{"type": "audio", "audio": "a.wav"}], "Hello.")
    with pytest.raises(ValueError, match="t1 holds audio; --text takes dialogues of text alone"):
        text_dialogues(text)


def test_a_text_dialogue_without_an_answer_is_named(tmp_path):
    with pytest.raises(ValueError, match="t1 ends with the user; answer it"):
        text_dialogues(text_file(tmp_path, "What is 2 + 2?"))


def test_a_set_of_features_is_named(prepared, tasks, tmp_path):
    (prepared / "wav.scp").rename(prepared / "feats.scp")
    with pytest.raises(ValueError, match="wav.scp is missing; .* prepare the set with --feats_type raw"):
        make_sft(prepared, tmp_path / "out", tasks)


def test_an_example_without_its_audio_is_named(prepared, tasks, tmp_path):
    lines = (prepared / "wav.scp").read_text().splitlines(keepends=True)
    (prepared / "wav.scp").write_text("".join(lines[1:]))
    with pytest.raises(ValueError, match="a1 of examples.jsonl has no line in wav.scp"):
        make_sft(prepared, tmp_path / "out", tasks)


def test_where_all_is_rejected_the_reasons_are_written_and_no_text_is_added(prepared, tasks, tmp_path):
    text = text_file(tmp_path, "What is 2 + 2?", "4")
    llm = {"sources": ("llm",), "complete": lambda request: "No.", "model": "m", "text": text}
    summary = make_sft(prepared, tmp_path / "out", tasks, **llm)
    assert summary["dialogues"] == {"all": 0} and summary["rejected"]["all"] > 0
    assert (tmp_path / "out" / "dialogues.jsonl").read_text() == ""
    assert "not JSON" in (tmp_path / "out" / "rejected.tsv").read_text()


def test_a_set_that_gives_no_dialogue_is_told_in_a_line_that_says_why(prepared, tmp_path, capsys):
    out = tmp_path / "out"
    joined = ["--data", str(prepared), "--out", str(out), "--source", "joined"]
    lengths = (prepared / "utt2num_samples").read_text().split()[::2]
    (prepared / "utt2num_samples").write_text("".join(f"{utt} {16 * 16000}\n" for utt in lengths))
    run("make_sft", joined)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(out))]
    assert re.fullmatch(r".*/out: no dialogue: all \d+ were rejected, see rejected.tsv there", said)
    first = (prepared / "wav.scp").read_text().split()[0]
    for name in ("wav.scp", "utt2num_samples", "examples.jsonl"):
        lines = (prepared / name).read_text().splitlines(keepends=True)
        (prepared / name).write_text("".join(line for line in lines if re.search(rf"\b{first}\b", line)))
    run("make_sft", joined)
    assert f"{out}: no dialogue: its tasks have no chat forms, or it has too few" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--source", "llm"], "--source llm needs --model"),
        (["--count", "0"], "--count 0; write 1 or more"),
        (["--source", "llm", "--model", "m", "--endpoint", "host"], "--endpoint 'host' is no URL"),
    ],
)
def test_wrong_options_are_named(prepared, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        run("make_sft", ["--data", str(prepared), "--out", str(tmp_path / "out"), *options])


def test_the_command_asks_an_endpoint_with_the_key_of_the_environment(
    server, prepared, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server.say(json.dumps({"question": "What is heard here?", "answer": "English."}))
    options = [
        "--source",
        "llm",
        "--langs",
        "en",
        "--endpoint",
        server.url,
        "--model",
        "m",
        "--per_minute",
        "1e9",
    ]
    run("make_sft", ["--data", str(prepared), "--out", str(tmp_path / "out"), *options])
    assert {headers["Authorization"] for _, headers, _ in server.asked} == {"Bearer secret"}
    kept = [path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(kept) > 3 and not any("secret" in text for text in kept)
