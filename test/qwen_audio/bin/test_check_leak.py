import json

import pytest
import soundfile

from qwen_audio.cli import run


def data_dir(path, text, level):
    path.mkdir()
    soundfile.write(path / "a.wav", [level] * 100, 16000)
    for name, value in {"wav.scp": path / "a.wav", "utt2spk": "a", "text": text}.items():
        (path / name).write_text(f"a {value}\n")
    (path / "examples.jsonl").write_text(json.dumps({"utt": "a", "task": "lid", "label": "English"}) + "\n")
    return str(path)


def test_a_leak_ends_it_with_one_line(tmp_path, capsys):
    train, test = data_dir(tmp_path / "train", "hello", 0.1), data_dir(tmp_path / "test", "Hello.", 0.2)
    with pytest.raises(
        SystemExit, match=r"^qwen-audio check_leak: 1 sentence\(s\) of valid or test stand in train"
    ):
        run("check_leak", ["--train", train, "--test", test])


def test_labels_may_repeat(tmp_path, capsys):
    train, test = data_dir(tmp_path / "train", "hello", 0.1), data_dir(tmp_path / "test", "goodbye", 0.2)
    run("check_leak", ["--train", train, "--test", test])
    assert "no leak; compared 1 train recordings, 1 held out recordings" in capsys.readouterr().out


def test_shared_sentences_may_be_a_warning_and_shared_recordings_never(tmp_path, capsys):
    train, test = data_dir(tmp_path / "train", "hello", 0.1), data_dir(tmp_path / "test", "Hello.", 0.2)
    run("check_leak", ["--train", train, "--test", test, "--may_share_sentences"])
    *_, warning, end = capsys.readouterr().out.splitlines()
    assert warning == (
        "warning: 1 of 1 sentences of valid and test stand in train as well: test a = train a ('hello')"
    )
    assert end.startswith("no shared recording; compared")
    same = data_dir(tmp_path / "same", "goodbye", 0.1)
    with pytest.raises(SystemExit, match=r"1 recording\(s\) of valid or test stand in train"):
        run("check_leak", ["--train", train, "--test", same, "--may_share_sentences"])


def test_training_sets_alone_leak_nowhere(tmp_path, capsys):
    run("check_leak", ["--train", data_dir(tmp_path / "train", "hello", 0.1), "--test"])
    assert "no leak; compared 1 train recordings, 0 held out recordings" in capsys.readouterr().out
