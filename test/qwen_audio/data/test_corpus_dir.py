import json
import subprocess

import numpy as np
import pytest
import soundfile

from qwen_audio.data import leak
from qwen_audio.data.corpus_dir import (
    Utterance,
    read_sets,
    record_sets,
    write_corpus,
    write_rejected,
    write_set,
)
from qwen_audio.data.kaldi_dir import KaldiDir
from qwen_audio.task_spec import load_tasks


def utterance(tmp_path, name, text, **more):
    path = tmp_path / f"{name}.wav"
    samples = np.random.default_rng(sum(name.encode()) + len(name)).uniform(-0.5, 0.5, 1600)
    soundfile.write(path, samples, 16000)
    return Utterance(name, name, str(path), text, "en" if text else None, **more)


def corpus(tmp_path, name, train, test):
    """A corpus with these sentences, and one for validation."""
    sets = {"train": train, "valid": [f"valid of {name}"], "test": test}
    rows = {
        split: [utterance(tmp_path, f"{name}-{split}-{n}", text) for n, text in enumerate(texts)]
        for split, texts in sets.items()
    }
    write_corpus(tmp_path / "data", name, rows, "own\n", [])
    return {split: (tmp_path / f"data/{name}_{split}/text").read_text() for split in sets}


def test_the_reader_of_data_directories_reads_what_is_written(tmp_path):
    rows = [
        utterance(tmp_path, "b-ß", "Text, as is.", examples=[{"task": "lid", "label": "English"}]),
        utterance(tmp_path, "b-2", "two"),
        utterance(tmp_path, "B-1", "one"),
    ]
    write_set(tmp_path / "set", rows, "own")
    found = list(KaldiDir(tmp_path / "set", load_tasks()).utterances())
    assert [u.id for u in found] == ["B-1", "b-2", "b-ß"]
    assert [row["task"] for row in found[2].examples] == ["asr", "lid"]
    assert found[2].examples[0]["text"] == "Text, as is." and found[2].speaker == "b-ß"


def test_files_are_sorted_as_sort_does(tmp_path):
    write_set(
        tmp_path / "set", [utterance(tmp_path, name, "x") for name in ("a_b", "a-b", "aB", "é", "z")], "own"
    )
    for name in ("wav.scp", "text", "utt2spk", "spk2utt", "utt2lang"):
        subprocess.run(["sort", "-c", str(tmp_path / "set" / name)], check=True, env={"LC_ALL": "C"})


def test_segments_refer_to_their_recording(tmp_path):
    rows = [utterance(tmp_path, f"rec-{n}", "x", segment=("rec", n, n + 0.5)) for n in range(2)]
    write_set(tmp_path / "set", rows, "own")
    assert (tmp_path / "set/segments").read_text() == "rec-0 rec 0.000 0.500\nrec-1 rec 1.000 1.500\n"
    assert (tmp_path / "set/wav.scp").read_text().split()[::2] == ["rec"]


def test_an_old_set_is_replaced_whole(tmp_path):
    write_set(tmp_path / "set", [utterance(tmp_path, "a", "x")], "own")
    write_set(tmp_path / "set", [utterance(tmp_path, "a", None)], "own")
    assert not (tmp_path / "set/text").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spk": "other"}, "must start with its speaker 'other'"),
        ({"utt": "a b", "spk": "a b"}, "without blanks"),
        ({"text": "two\nlines"}, "write one line"),
        ({"text": " "}, "write one line"),
    ],
)
def test_what_no_data_directory_may_hold_is_named(tmp_path, change, message):
    row = utterance(tmp_path, "a", "x")
    vars(row).update(change)
    with pytest.raises(ValueError, match=message):
        write_set(tmp_path / "set", [row], "own")


def test_an_id_given_twice_is_named(tmp_path):
    with pytest.raises(ValueError, match="utterance a twice"):
        write_set(tmp_path / "set", [utterance(tmp_path, "a", "x")] * 2, "own")


def test_an_empty_set_is_named(tmp_path):
    with pytest.raises(ValueError, match="set: no utterance is left"):
        write_set(tmp_path / "set", [], "own")


def test_a_tested_sentence_is_dropped_from_training_and_listed(tmp_path):
    texts = corpus(tmp_path, "one", ["Hello!", "kept"], ["hello"])
    assert texts["train"] == "one-train-1 kept\n" and texts["test"] == "one-test-0 hello\n"
    listed = (tmp_path / "data/one_rejected.tsv").read_text()
    assert listed == "utterance\tone-train-0\tits sentence stands on the other side of the split: hello\n"


def test_a_tested_recording_is_dropped_from_training_and_listed_whatever_is_said_of_it(tmp_path):
    rows = {name: [utterance(tmp_path, f"{name}-0", f"of {name}")] for name in ("train", "valid", "test")}
    for name, held in (("train-1", "valid"), ("train-2", "test")):
        rows["train"].append(utterance(tmp_path, name, f"of {name}"))
        samples, rate = soundfile.read(rows[held][0].audio)
        soundfile.write(rows["train"][-1].audio, samples, rate)
    write_corpus(tmp_path / "data", "one", rows, "own\n", [])
    assert (tmp_path / "data/one_train/text").read_text() == "train-0 of train\n"
    assert (tmp_path / "data/one_rejected.tsv").read_text().splitlines() == [
        f"utterance\ttrain-{n}\tits recording stands on the other side of the split: {tmp_path}/{held}-0.wav"
        for n, held in ((1, "valid"), (2, "test"))
    ]


def test_the_length_of_each_recording_is_read_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(leak, "any_num_samples", lambda spec: asked.append(spec) or len(asked))
    rows = {name: [utterance(tmp_path, name, f"of {name}")] for name in ("train", "valid", "test")}
    write_corpus(tmp_path / "data", "one", rows, "own\n", [])
    assert sorted(asked) == [str(tmp_path / f"{name}.wav") for name in ("test", "train", "valid")]


def test_no_recording_of_a_test_set_alone_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(leak, "any_num_samples", None)
    write_corpus(tmp_path / "data", "one", {"test": [utterance(tmp_path, "a", "x")]}, "own\n", [])
    assert (tmp_path / "data/one_test/text").read_text() == "a x\n"


def test_silent_clips_of_one_length_are_one_recording(tmp_path):
    rows = {name: [utterance(tmp_path, f"{name}-{n}", None) for n in range(2)] for name in ("train", "test")}
    for name in rows:
        soundfile.write(rows[name][0].audio, np.zeros(1600), 16000)
    write_corpus(tmp_path / "data", "one", rows, "own\n", [])
    assert (tmp_path / "data/one_train/utt2spk").read_text() == "train-1 train-1\n"
    assert len((tmp_path / "data/one_test/utt2spk").read_text().splitlines()) == 2


def test_a_recording_that_another_corpus_trains_on_is_not_tested(tmp_path):
    corpus(tmp_path, "one", ["said in training"], ["asked"])
    rows = [utterance(tmp_path, f"two-{n}", f"new {n}") for n in range(3)]
    samples, rate = soundfile.read(tmp_path / "one-train-0.wav")
    for row in rows[:2]:
        soundfile.write(row.audio, samples, rate)
    write_corpus(tmp_path / "data", "two", {"test": rows}, "own\n", [])
    assert (tmp_path / "data/two_test/text").read_text() == "two-2 new 2\n"
    assert len((tmp_path / "data/two_rejected.tsv").read_text().splitlines()) == 2


def test_two_corpora_do_not_leak_into_each_other_and_repeat_the_same(tmp_path):
    first = corpus(tmp_path, "one", ["yes", "left"], ["no"])
    second = corpus(tmp_path, "two", ["no", "right"], ["yes", "up"])
    assert second["train"] == "two-train-1 right\n" and second["test"] == "two-test-1 up\n"
    assert corpus(tmp_path, "one", ["yes", "left"], ["no"]) == first


def test_set_names_are_merged_by_split(tmp_path):
    for name in ("b_train", "a_train", "a_test"):
        (tmp_path / name).mkdir()
    record_sets(tmp_path, train=["b_train"])
    record_sets(tmp_path, train=["a_train"], test=["a_test"])
    record_sets(tmp_path, train=["a_train"])
    expected = {"train": ["a_train", "b_train"], "valid": [], "test": ["a_test"]}
    assert json.loads((tmp_path / "sets.json").read_text()) == expected
    (tmp_path / "a_test").rmdir()
    assert read_sets(tmp_path)["test"] == []


def test_rejected_rows_are_counted_by_reason(tmp_path, capsys):
    write_rejected(
        tmp_path / "r.tsv", [("text", "b", "empty: x"), ("text", "a", "empty: y"), ("sound", "c", "silent")]
    )
    assert (
        "2 text not used: empty" in (said := capsys.readouterr().out) and "1 sound not used: silent" in said
    )
    assert (tmp_path / "r.tsv").read_text() == "sound\tc\tsilent\ntext\ta\tempty: y\ntext\tb\tempty: x\n"


def test_a_corpus_may_be_a_test_set_alone_and_gives_up_what_others_train_on(tmp_path):
    corpus(tmp_path, "one", ["said in training"], ["asked"])
    rows = [utterance(tmp_path, f"two-{n}", text) for n, text in enumerate(["Said in training!", "new"])]
    write_corpus(tmp_path / "data", "two", {"test": rows}, "own\n", [])
    assert (tmp_path / "data/two_test/text").read_text() == "two-1 new\n"
    assert not (tmp_path / "data/two_train").exists()
    assert read_sets(tmp_path / "data")["test"] == ["one_test", "two_test"]
