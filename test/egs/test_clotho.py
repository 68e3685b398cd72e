import json
import shutil

import pytest
from clotho import read_split
from make_corpora import make_clotho


@pytest.fixture
def corpus(tmp_path):
    return make_clotho(tmp_path / "clotho")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "clotho", "--corpus", corpus)


def test_every_clip_has_its_five_captions(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    for name, split in {"train": "development", "valid": "validation", "test": "evaluation"}.items():
        rows = [json.loads(line) for line in (data / f"clotho_{name}/examples.jsonl").open()]
        assert [row["text"] for row in rows] == [
            f"Clip {n} of {split}, caption {k}" for n in range(2) for k in range(1, 6)
        ]
        assert {row["task"] for row in rows} == {"aac"}


def test_names_with_blanks_commas_and_quotes_reach_their_recording(corpus, tmp_path, local_data):
    _, _, data = prepare(local_data, corpus, tmp_path)
    line = (data / "clotho_train/wav.scp").read_text().splitlines()[0]
    assert line == f'development-00001-Rain-development-01 {corpus}/development/Rain, "development" 01.wav'


def test_an_incomplete_split_is_told_with_expected_and_found(corpus, tmp_path, local_data):
    _, printed, _ = prepare(local_data, corpus, tmp_path)
    assert f"{corpus}/evaluation: incomplete: expected 1045 clips as published, found 2" in printed


def test_recordings_and_captions_without_each_other_are_listed(corpus, tmp_path, local_data):
    (corpus / 'validation/Rain, "validation" 01.wav').rename(corpus / "validation/other.wav")
    status, _, data = prepare(local_data, corpus, tmp_path)
    assert status == 0 and (data / "clotho_rejected.tsv").read_text().splitlines() == [
        'captions\tvalidation/Rain, "validation" 01.wav\tcaptions without a recording',
        "recording\tvalidation/other.wav\trecording without captions",
    ]


def test_a_clip_that_two_splits_have_is_not_trained_on(corpus, tmp_path, local_data):
    copied = corpus / 'development/Rain, "development" 01.wav'
    shutil.copy(corpus / 'validation/Rain, "validation" 01.wav', copied)
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert len((data / "clotho_train/wav.scp").read_text().splitlines()) == 1
    assert len((data / "clotho_valid/wav.scp").read_text().splitlines()) == 2
    rejected = (data / "clotho_rejected.tsv").read_text()
    assert "development-00001-Rain-development-01\tits recording stands on the other side" in rejected


def test_a_missing_caption_file_is_named_with_what_is_there(corpus, tmp_path, local_data):
    (corpus / "clotho_captions_evaluation.csv").unlink()
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert (
        status == 1
        and "needs clotho_captions_evaluation.csv and the folder evaluation; found clotho_cap" in printed
    )


def test_other_columns_are_named(corpus, tmp_path, local_data):
    (corpus / "clotho_captions_development.csv").write_text("file,caption\n")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert (
        status == 1
        and "clotho_captions_development.csv:1: columns file, caption; expected file_name" in printed
    )


HEADER = b"file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"


def test_a_byte_order_mark_before_the_table_is_no_part_of_a_name(tmp_path):
    (clip,) = read_table(tmp_path, "\ufeff".encode() + HEADER + b"a.wav,one,two,three,four,five\n")
    assert [row["text"] for row in clip.examples] == ["one", "two", "three", "four", "five"]


@pytest.mark.parametrize(
    "row, fault",
    [
        (b"a.wav,one,two,three,four,a dog barks, then rain\n", "2: not 6 fields; copy it anew"),
        (b"a.wav,one,two,three,four\n", "2: not 6 fields; copy it anew"),
        (b"a.wav,one,two,three,four,\n", "2: a.wav lacks a caption; Clotho has five"),
        (b"a.wav,one,two,three,four,a caf\xe9\n", " after line .: not utf-8"),
        (
            b'a.wav,one,two,three,four,"five\n' + b"b.wav,1,2,3,4,5\n" * 9000,
            " after line .*field larger .*copy it anew",
        ),
    ],
)
def test_a_row_that_is_not_as_published_is_named_with_its_file(tmp_path, row, fault):
    with pytest.raises(ValueError, match=f"^{tmp_path}/clotho_captions_evaluation.csv:{fault}"):
        read_table(tmp_path, HEADER + row)


def read_table(folder, content: bytes):
    """The clips of a table of one recording, a.wav."""
    (folder / "evaluation").mkdir()
    (folder / "evaluation/a.wav").touch()
    (folder / "clotho_captions_evaluation.csv").write_bytes(content)
    return read_split(folder, "evaluation", [])
