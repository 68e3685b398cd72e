import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter
from qwen_audio.infer.clips import encoded_samples
from qwen_audio.infer.requests import batches, count_by_task, read_requests, task_of
from qwen_audio.task_spec import load_tasks

SPECS = load_tasks()
ENGLISH, SPANISH = {"audio_lang": "en", "text_lang": "en"}, {"audio_lang": "es", "text_lang": "es"}
ROWS = [  # utt, task, fields; of a an older transcript, of b two questions and two translations
    ("a", "asr", {**ENGLISH, "text": "go on"}),
    ("a", "asr", {**ENGLISH, "text": "go on then"}),
    ("a", "lid", {"label": "English"}),
    ("b", "asr", {**SPANISH, "text": "vamos"}),
    ("b", "s2tt", {"audio_lang": "es", "text_lang": "en", "text": "let us go"}),
    ("b", "s2tt", {"audio_lang": "es", "text_lang": "de", "text": "gehen wir"}),
    ("b", "aqa", {"question": "Is it loud?", "answer": "yes"}),
    ("b", "aqa", {"question": "Is it long?", "answer": "no"}),
    ("b", "aqa", {"question": "Is it loud?", "answer": "no"}),
]
SAMPLES = {"a": 16000, "b": 8000}


@pytest.fixture
def token_set(tmp_path):
    """ROWS with one token for each sequence: only the index is read."""
    with TokenSetWriter(tmp_path / "set") as writer, open(tmp_path / "examples.jsonl", "wb") as stream:
        audio = {utt: writer.add_audio(utt, f"{utt}.flac") for utt in SAMPLES}
        for utt, task, fields in ROWS:
            row, line = {"utt": utt, "task": task, **fields}, stream.tell()
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            writer.add([1], [2], [], SAMPLES[utt], SPECS[task].stream(row), audio[utt], line)
        writer.close({"examples": str(tmp_path / "examples.jsonl")})
    return TokenSet(tmp_path / "set")


def test_further_references_of_a_prompt_are_no_further_requests(token_set):
    found = read_requests(token_set, ["asr", "lid"], SPECS)
    assert [(r.utt, r.task, r.row, r.samples) for r in found] == [
        ("a", "asr", 0, 16000), ("a", "lid", 2, 16000), ("b", "asr", 3, 8000),
    ]  # fmt: skip


def test_each_question_about_a_clip_is_a_request(token_set):
    found = read_requests(token_set, ["aqa"], SPECS)
    assert [(r.row, r.asked["question"]) for r in found] == [(6, "Is it loud?"), (7, "Is it long?")]
    assert found[0].prompt == "<|startofanalysis|><|en|><|question|>Is it loud?<|answer|>"


def test_each_pair_of_languages_is_a_request_with_a_prompt_of_its_own(token_set):
    found = read_requests(token_set, ["s2tt"], SPECS)
    assert {(r.asked["audio_lang"], r.asked["text_lang"]) for r in found} == {("es", "en"), ("es", "de")}
    assert len({r.key for r in found}) == 2
    tail = "<|notimestamps|><|itn|>"
    assert {r.prompt for r in found} == {
        f"<|startoftranscript|><|es|><|translate|><|en|>{tail}",
        f"<|startoftranscript|><|es|><|translate|><|de|>{tail}",
    }


def test_a_language_that_the_example_does_not_name_is_none(token_set):
    (found,) = read_requests(token_set, ["lid"], SPECS)
    assert found.asked == {"audio_lang": None, "text_lang": None}


def test_an_example_without_audio_is_named(token_set):
    rows = token_set.rows.copy()
    rows["utt"][2] = -1
    token_set.rows = rows
    with pytest.raises(ValueError, match=r"examples.jsonl@\d+ \(lid\) has no audio to decode"):
        read_requests(token_set, ["lid"], SPECS)
    assert len(read_requests(token_set, ["asr"], SPECS)) == 2


def test_a_set_moved_away_from_its_examples_says_where_to_decode(token_set, tmp_path):
    (tmp_path / "examples.jsonl").unlink()
    with pytest.raises(
        ValueError, match=r"examples.jsonl, which .*set was made from, is missing; decode in the"
    ):
        read_requests(token_set, ["asr"], SPECS)


def test_all_that_is_asked_of_a_clip_stands_in_one_batch(token_set):
    found = read_requests(token_set, ["asr", "lid", "s2tt", "aqa"], SPECS)
    one_clip = [[r.utt for r in batch] for batch in batches(found, int, 1, 60.0, 16000)]
    assert one_clip == [["a"] * 2, ["b"] * 5]
    assert [len(batch) for batch in batches(found, int, 2, 60.0, 16000)] == [7]


def test_a_batch_counts_each_clip_as_long_as_its_longest(token_set):
    (first, *_) = read_requests(token_set, ["lid"], SPECS)
    clips = [replace(first, utt=f"u{seconds}", samples=seconds) for seconds in (3, 9, 8)]
    assert [len(batch) for batch in batches(clips, int, 9, 18.0, rate=1)] == [2, 1]  # 2 * 9, but not 3 * 9
    assert [len(batch) for batch in batches(clips, int, 9, 27.0, rate=1)] == [3]
    assert [len(batch) for batch in batches(clips, int, 9, 1.0, rate=1)] == [1, 1, 1]  # alone, however long


def test_a_batch_counts_a_clip_with_the_silence_that_it_is_encoded_with(token_set):
    (first, *_) = read_requests(token_set, ["lid"], SPECS)
    clips = [replace(first, utt=f"u{seconds}", samples=seconds) for seconds in (1, 2, 31)]
    padded = SimpleNamespace(frontend=SimpleNamespace(pad_to=30))
    found = batches(clips, lambda samples: encoded_samples(padded, samples), 9, 60.0, rate=1)
    assert [[clip.samples for clip in batch] for batch in found] == [[31], [2, 1]]


def test_requests_are_counted_by_task(token_set):
    found = read_requests(token_set, ["asr", "aqa"], SPECS)
    assert sorted(count_by_task(found).split(", ")) == ["aqa 2", "asr 2"]


def test_the_task_of_a_stream_is_what_stands_before_its_language():
    assert [task_of(stream) for stream in ("asr/en", "s2tt/es-en", "lid")] == ["asr", "s2tt", "lid"]
