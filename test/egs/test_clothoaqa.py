import json
from collections import Counter

import pytest
from layouts_b import ASKED, make_clothoaqa


@pytest.fixture
def corpus(tmp_path):
    return make_clothoaqa(tmp_path / "clotho_aqa")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "clothoaqa", "--corpus", corpus)


def rows_of(data, name):
    return [json.loads(line) for line in (data / f"clothoaqa_{name}/examples.jsonl").open(encoding="utf-8")]


def test_every_answer_of_every_question_is_a_row_of_its_clip(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    for name in ("train", "valid", "test"):
        rows = rows_of(data, name)
        assert set(Counter(row["utt"] for row in rows).values()) == {6}
        for utt in {row["utt"] for row in rows}:
            said = [(row["question"], row["answer"]) for row in rows if row["utt"] == utt]
            assert said == [(question, answer) for question in ASKED for answer in ASKED[question]]
        assert {row["task"] for row in rows} == {"aqa"}


def test_splits_are_the_published_ones_and_names_with_blanks_reach_their_clips(corpus, tmp_path, local_data):
    _, _, data = prepare(local_data, corpus, tmp_path)
    assert (data / "clothoaqa_valid/wav.scp").read_text().splitlines() == [
        f"val-00001-Rain-val-01 {corpus}/audio_files/Rain, val 01.wav",
        f"val-00002-val-door {corpus}/audio_files/val_door.wav",
    ]


def test_a_clip_with_two_blanks_in_its_name_is_found(corpus, tmp_path, local_data):
    (corpus / "audio_files/Rain, val 01.wav").rename(corpus / "audio_files/Rain,  val 01.wav")
    table = corpus / "clotho_aqa_val.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Rain, val", "Rain,  val"), encoding="utf-8")
    _, _, data = prepare(local_data, corpus, tmp_path)
    line = (data / "clothoaqa_valid/wav.scp").read_text().splitlines()[0]
    assert line == f"val-00001-Rain-val-01 {corpus}/audio_files/Rain,  val 01.wav"


def test_an_incomplete_split_is_told_with_expected_and_found(corpus, tmp_path, local_data):
    _, printed, _ = prepare(local_data, corpus, tmp_path)
    assert "clotho_aqa_test.csv: incomplete: expected 8514 answers as published, found 12" in printed


def test_clips_and_questions_without_each_other_are_listed(corpus, tmp_path, local_data):
    (corpus / "audio_files/test_door.wav").unlink()
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    rejected = (data / "clothoaqa_rejected.tsv").read_text().splitlines()
    assert "recording\tunused.wav\trecording without questions" in rejected
    lines = [line for line in rejected if line.startswith("answer\t")]
    assert len(lines) == 6
    assert lines[0] == "answer\tclotho_aqa_test.csv:10\tquestion without a recording: test_door.wav"


def test_a_missing_table_is_named_with_what_is_there(corpus, tmp_path, local_data):
    (corpus / "clotho_aqa_val.csv").unlink()
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "needs clotho_aqa_val.csv; found audio_files, clotho_aqa_metadata.csv" in printed


def test_other_columns_are_named(corpus, tmp_path, local_data):
    (corpus / "clotho_aqa_train.csv").write_text("file_name,question,answer\n")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "clotho_aqa_train.csv:1: columns file_name, question, answer; expected" in printed
