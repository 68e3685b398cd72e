"""Many recordings in one call: heard together, shared, gone on with after a break."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from qwen_audio.cli import run
from qwen_audio.infer.long_audio import recording_head
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.recordings import Recording, named_recordings
from qwen_audio.infer.transcribe import transcribe
from qwen_audio.model_folder import export_model
from qwen_audio.timestamp.head import TimestampHead

MODEL = SimpleNamespace(search=InferenceConfig(), model=SimpleNamespace(frontend=None))


class Lengths(TimestampHead):
    """Says of each clip how long it is; ``batches``: how many were heard together."""

    def __init__(self):
        self.batches = []

    def words_of(self, loaded, audios, languages):
        self.batches.append(len(audios))
        return [[(f"{len(audio) / 16000:.1f}s", 0.0, 0.1, 1.0)] for audio in audios]


@pytest.fixture
def record(tmp_path):
    """Function (name, seconds) that writes a recording and gives its path."""

    def write(name, seconds):
        soundfile.write(tmp_path / name, np.full(round(16000 * seconds), 0.5), 16000)
        return str(tmp_path / name)

    return write


def texts(folder):
    return {path.stem: path.read_text() for path in folder.glob("*.txt")}


@pytest.mark.parametrize("head", ["tokens", "attention"])
def test_a_recording_has_the_same_text_alone_and_among_others(head, loaded, sound_files, tmp_path):
    for name, paths in {"all": sound_files, **{path: [path] for path in sound_files}}.items():
        output = tmp_path / ("all" if name == "all" else "alone")
        transcribe(loaded, recording_head(loaded, head), named_recordings(paths), "en", 28.0, output, ["txt"])
    assert texts(tmp_path / "all") == texts(tmp_path / "alone")
    assert len(set(texts(tmp_path / "all").values())) > 2


def test_the_words_of_each_recording_are_its_own(record, tmp_path):
    paths = [record("a.wav", 1.0), record("b.wav", 60.0), record("c.wav", 2.0)]
    head = Lengths()
    transcribe(MODEL, head, named_recordings(paths), "en", 28.0, tmp_path / "out", ["txt"])
    found = texts(tmp_path / "out")
    assert head.batches == [5] and (found["a"], found["c"]) == ("1.0s\n", "2.0s\n")
    assert len(found["b"].split()) == 3


def test_a_recording_that_breaks_off_takes_no_word_of_the_others(record, tmp_path):
    broken = tmp_path / "b.flac"
    soundfile.write(broken, np.random.default_rng(0).uniform(-0.5, 0.5, 150 * 16000), 16000)
    with open(broken, "r+b") as stream:
        stream.truncate(3 * broken.stat().st_size // 4)
    paths = [record("a.wav", 1.0), str(broken), record("c.wav", 2.0)]
    head = Lengths()
    transcribe(MODEL, head, named_recordings(paths), "en", 28.0, tmp_path / "out", ["txt"])
    assert sum(head.batches) > 2  # it was heard up to where it breaks off
    assert texts(tmp_path / "out") == {"a": "1.0s\n", "c": "2.0s\n"}
    (row,) = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()
    assert row.startswith(f"b\t{paths[1]}\t")


def test_what_cannot_be_read_is_listed_before_anything_is_heard(record, tmp_path):
    class Looks(Lengths):
        def words_of(self, *args):
            assert (tmp_path / "out" / "rejected.tsv").read_text().startswith("a\tgone.wav\tmissing file")
            return super().words_of(*args)

    listed = [Recording("a", "gone.wav", "a"), Recording("b", record("b.wav", 1.0), "b")]
    assert transcribe(MODEL, Looks(), listed, "en", 28.0, tmp_path / "out", ["txt"])["rejected"] == 1


def test_where_others_were_done_before_one_that_cannot_be_read_is_no_error(tmp_path):
    listed = [Recording("a", "gone.wav", "a")]
    summary = transcribe(MODEL, Lengths(), listed, "en", 28.0, tmp_path, ["txt"], before=3)
    expected = {"recordings": 0, "rejected": 1, "before": 3, "real_time_factor": 0.0}
    assert {key: summary[key] for key in expected} == expected


def test_memory_does_not_grow_with_the_number_of_recordings(record, tmp_path):
    path = record("a.wav", 20.0)

    def peak_of(count):
        listed = [Recording(str(number), path, str(number)) for number in range(count)]
        tracemalloc.start()
        try:
            transcribe(MODEL, Lengths(), listed, "en", 28.0, tmp_path / "out", ["txt"])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_of(120) < 1.1 * peak_of(30)


@pytest.fixture(scope="module")
def model(loaded, ctc_tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    export_model(loaded.model, loaded.tokenizer, loaded.config, loaded.tasks, ctc_tokens, folder)
    return str(folder)


@pytest.fixture
def decode(model, sound_files, tmp_path):
    """Function (*options) that transcribes the sounds into out/ and gives when each file was written."""
    lines = [f"{number} {path}\n" for number, path in enumerate(sound_files)]
    (tmp_path / "wav.scp").write_text("".join(lines))

    def command(*options):
        arguments = ["--model", model, "--scp", str(tmp_path / "wav.scp"), "--output", str(tmp_path / "out")]
        run("decode", [*arguments, "--language", "en", *options])
        return {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.txt")}

    return command


def test_what_stands_is_not_decoded_again(decode, tmp_path, capsys):
    first = decode()
    (tmp_path / "out/1.txt").unlink()
    capsys.readouterr()
    second = decode()
    assert "4 of 5 recordings were done before" in capsys.readouterr().out
    assert [name for name in first if first[name] != second[name]] == ["1"]


def test_by_other_options_all_is_decoded_again(decode, capsys):
    first, second = decode(), decode("--timestamp_head", "attention")
    assert "done before" not in capsys.readouterr().out and not set(first.values()) & set(second.values())


def test_shards_fill_one_folder(decode, tmp_path):
    assert sorted(decode("--shard", "1/2")) == ["0", "2", "4"]
    assert sorted(decode("--shard", "2/2")) == ["0", "1", "2", "3", "4"]
    parts = sorted(path.name for path in (tmp_path / "out").glob("*_of_*"))
    assert parts == [f"{name}.{i}_of_2.{kind}" for name, kind in (("rejected", "tsv"), ("summary", "json"))
                     for i in (1, 2)]  # fmt: skip
