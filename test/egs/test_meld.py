import json
import shutil

import pytest
import soundfile
from layouts_a import make_meld


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return make_meld(tmp_path_factory.mktemp("MELD.Raw"))


@pytest.fixture
def corpus(published, tmp_path):
    return shutil.copytree(published, tmp_path / "MELD.Raw")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "meld", "--corpus", corpus)


def labels(folder):
    rows = [json.loads(line) for line in (folder / "examples.jsonl").open()]
    assert {row["task"] for row in rows} == {"er"}
    return {row["utt"]: row["label"] for row in rows}


def test_every_clip_has_its_emotion_and_a_cut_off_one_is_counted(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert labels(data / "meld_train") == {"train_dia0_utt0": "neutral", "train_dia0_utt1": "joy"}
    assert labels(data / "meld_valid") == {"dev_dia0_utt0": "sadness"}
    assert labels(data / "meld_test") == {"test_dia0_utt0": "surprise", "test_dia93_utt6": "anger"}
    assert (data / "meld_rejected.tsv").read_text().startswith("clip\tdev_dia0_utt1\tcorrupt clip: ")
    assert "1 clip not used: corrupt clip" in printed
    assert "test_sent_emo.csv: incomplete: expected 2610 utterances as published, found 2" in printed


def test_sound_is_16_khz_mono_and_of_the_corrected_copy_of_a_test_clip(corpus, tmp_path, local_data):
    _, _, data = prepare(local_data, corpus, tmp_path)
    for line in (data / "meld_test/wav.scp").read_text().splitlines():
        utt, path = line.split(maxsplit=1)
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert info.duration == pytest.approx(2 if utt == "test_dia93_utt6" else 1, abs=0.15)


def test_what_was_decoded_is_not_decoded_again(corpus, tmp_path, local_data):
    prepare(local_data, corpus, tmp_path)
    wav = tmp_path / "recipe/downloads/meld/train/dia0_utt0.wav"
    before = wav.stat().st_mtime_ns
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert wav.stat().st_mtime_ns == before


def test_only_what_is_tested_is_decoded_where_only_that_is_wanted(corpus, tmp_path, local_data):
    status, printed, _ = local_data(tmp_path / "recipe", "meld", "--corpus", corpus, "--test_only", "true")
    assert status == 0, printed
    assert [path.name for path in (tmp_path / "recipe/downloads/meld").iterdir()] == ["test"]


def test_stray_cp1252_bytes_do_not_stop_the_table(corpus, tmp_path, local_data):
    table = corpus / "test_sent_emo.csv"
    table.write_bytes(table.read_bytes().replace("\u0092".encode(), b"\x92"))
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed


def test_splits_may_lie_in_folders_of_their_archives(corpus, tmp_path, local_data):
    (corpus / "train").mkdir()
    for name in ("train_splits", "train_sent_emo.csv"):
        (corpus / name).rename(corpus / "train" / name)
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed


def test_an_archive_that_was_not_unpacked_is_told(corpus, tmp_path, local_data):
    (corpus / "output_repeated_splits_test").rename(corpus / "test.tar.gz")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and f"{corpus}: needs output_repeated_splits_test; found dev_sent_emo.csv" in printed
    assert "test.tar.gz" in printed


def test_another_emotion_is_named_with_its_line(corpus, tmp_path, local_data):
    table = corpus / "dev_sent_emo.csv"
    table.write_text(table.read_text().replace("sadness", "bored"))
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "dev_sent_emo.csv:2: emotion 'bored'; MELD has neutral, joy" in printed


def test_other_columns_are_named(corpus, tmp_path, local_data):
    (corpus / "train_sent_emo.csv").write_text("Utterance,Label\n")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "train_sent_emo.csv:1: columns Utterance, Label; expected Emotion" in printed
