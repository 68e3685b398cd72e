import json
import shutil

import pytest
from make_corpora import make_librispeech


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("LibriSpeech"))


@pytest.fixture
def own(corpus, tmp_path):
    return shutil.copytree(corpus, tmp_path / "LibriSpeech")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "librispeech", "--corpus", corpus)


def test_each_subset_goes_to_its_sets(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert json.loads((data / "sets.json").read_text()) == {
        "train": ["librispeech_train"],
        "valid": ["librispeech_valid"],
        "test": ["librispeech_dev_clean", "librispeech_test_clean"],
    }
    text = (data / "librispeech_train/text").read_text().splitlines()
    assert text[0] == "1272-121123-0000 train sentence 1272 0" and len(text) == 4
    assert (
        (data / "librispeech_train/spk2utt")
        .read_text()
        .startswith("1272 1272-121123-0000 1272-121123-0001\n84 ")
    )
    assert "not there: train-clean-360, train-other-500, dev-other, test-other" in printed


def test_an_incomplete_subset_is_told_with_expected_and_found(corpus, tmp_path, local_data):
    _, printed, _ = prepare(local_data, corpus, tmp_path)
    assert f"{corpus}/test-clean: incomplete: expected 2620 utterances as published, found 4" in printed


def test_without_a_test_subset_the_error_names_expected_and_found(own, tmp_path, local_data):
    shutil.rmtree(own / "test-clean")
    status, printed, _ = prepare(local_data, own, tmp_path)
    assert status == 1 and "none of test-clean, test-other; found train-clean-100, dev-clean" in printed


def test_recordings_and_texts_without_each_other_are_listed(own, tmp_path, local_data):
    chapter = own / "train-clean-100/84/121123"
    (chapter / "84-121123-0000.flac").rename(chapter / "84-121123-0009.flac")
    status, _, data = prepare(local_data, own, tmp_path)
    assert status == 0 and (data / "librispeech_rejected.tsv").read_text().splitlines() == [
        "recording\t84-121123-0009\trecording without a text",
        "text\t84-121123-0000\ttext without a recording",
    ]


def test_a_training_sentence_that_is_tested_is_dropped(own, tmp_path, local_data):
    transcript = own / "train-clean-100/84/121123/84-121123.trans.txt"
    transcript.write_text("84-121123-0000 TEST SENTENCE 86 0\n84-121123-0001 MINE\n")
    status, _, data = prepare(local_data, own, tmp_path)
    assert status == 0 and "84-121123-0000" not in (data / "librispeech_train/text").read_text()
    assert (
        "84-121123-0000\tits sentence stands on the other side"
        in (data / "librispeech_rejected.tsv").read_text()
    )


def test_a_broken_transcript_line_is_named(own, tmp_path, local_data):
    (own / "dev-clean/85/121123/85-121123.trans.txt").write_text("85-121123-0000\n")
    status, printed, _ = prepare(local_data, own, tmp_path)
    assert (
        status == 1
        and "85-121123.trans.txt:1: '85-121123-0000'; write SPEAKER-CHAPTER-NUMBER TEXT" in printed
    )


def test_the_corpus_must_be_named(tmp_path, local_data):
    status, printed, _ = local_data(tmp_path, "librispeech")
    assert status == 1 and "give --corpus DIR" in printed
