import json
import shutil

import pytest
from layouts_b import WORDS, make_srwt_ctm, make_srwt_funasr, make_srwt_mfa, text_grid
from make_corpora import tone, write


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "srwt", "--corpus", corpus)


def rows_of(data, name):
    return [json.loads(line) for line in (data / f"srwt_{name}/examples.jsonl").open(encoding="utf-8")]


def test_words_of_a_recordings_ctm_go_to_their_segments_with_their_times(tmp_path, local_data):
    status, printed, data = prepare(local_data, make_srwt_ctm(tmp_path / "aligned"), tmp_path)
    assert status == 0, printed
    for name, folder in {"train": "train", "valid": "dev", "test": "test"}.items():
        rows = rows_of(data, name)
        assert [row["utt"] for row in rows] == [f"spk{folder}-1", f"spk{folder}-2"]
        for row in rows:
            assert row["words"] == [[start, end, word.lower() + folder] for start, end, word in WORDS]
            assert row["task"] == "srwt" and row["audio_lang"] == row["text_lang"] == "en"
    text = (data / "srwt_test/text").read_text().splitlines()
    assert text[0] == "spktest-1 seventest newtest messagestest"


def test_a_command_in_wav_scp_stays_one(tmp_path, local_data):
    corpus = make_srwt_ctm(tmp_path / "aligned")
    scp = corpus / "test/wav.scp"
    name, path = scp.read_text().split()
    scp.write_text(f"{name} cat {path} |\n")
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert (data / "srwt_test/wav.scp").read_text() == f"{name} cat {path} |\n"


def test_capitals_among_small_letters_stay(tmp_path, local_data):
    corpus = make_srwt_ctm(tmp_path / "aligned")
    ctm = corpus / "test/ctm"
    ctm.write_text(ctm.read_text().replace("NEWTEST", "new"))
    _, _, data = prepare(local_data, corpus, tmp_path)
    assert (data / "srwt_test/text").read_text().splitlines()[0] == "spktest-1 SEVENTEST new MESSAGESTEST"


def test_an_unknown_word_in_small_letters_leaves_the_others_in_capitals_throughout(tmp_path, local_data):
    corpus = make_srwt_ctm(tmp_path / "aligned")
    ctm = corpus / "test/ctm"
    ctm.write_text(ctm.read_text().replace("NEWTEST", "<unk>", 1))
    _, _, data = prepare(local_data, corpus, tmp_path)
    assert (data / "srwt_test/text").read_text() == "spktest-2 seventest newtest messagestest\n"


def test_a_ctm_by_utterance_counts_from_the_segments_beginning(tmp_path, local_data):
    corpus = make_srwt_ctm(tmp_path / "aligned")
    (corpus / "test/ctm").write_text("spktest-1 1 0.5 0.2 one\nspktest-2 1 0.25 0.5 two\n")
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert [row["words"] for row in rows_of(data, "test")] == [[[0.5, 0.7, "one"]], [[0.25, 0.75, "two"]]]


def test_textgrids_beside_the_audio_are_found_by_speaker_and_name(tmp_path, local_data):
    status, printed, data = prepare(local_data, make_srwt_mfa(tmp_path / "aligned"), tmp_path)
    assert status == 0, printed
    rows = rows_of(data, "test")
    assert [row["utt"] for row in rows] == ["a-test-0001", "btest-0001"]
    assert all(row["words"] == [[s, e, word + "test"] for s, e, word in WORDS] for row in rows)
    assert (data / "srwt_test/utt2spk").read_text() == "a-test-0001 a-test\nbtest-0001 btest\n"


def test_timestamps_of_funasr_give_unspaced_mandarin(tmp_path, local_data):
    status, printed, data = prepare(local_data, make_srwt_funasr(tmp_path / "aligned"), tmp_path)
    assert status == 0, printed
    (row,) = rows_of(data, "test")
    assert row["words"] == [[0.54, 0.86, "面"], [0.86, 1.17, "条"], [1.17, 1.46, "人"]]
    assert row["text_lang"] == "zh"
    assert (data / "srwt_test/text").read_text(encoding="utf-8") == "S0002-BAC009S0002W0001 面条人\n"


def test_mandarin_without_its_language_is_refused_with_the_line_to_write(tmp_path, local_data):
    corpus = make_srwt_funasr(tmp_path / "aligned")
    (corpus / "train/utt2lang").unlink()
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "has the word 面 and the language en; write a line `S0000-BAC009" in printed


def test_every_test_folder_is_a_test_set(tmp_path, local_data):
    corpus = make_srwt_mfa(tmp_path / "aligned")
    (corpus / "test").rename(corpus / "test-clean")
    shutil.copytree(corpus / "test-clean", corpus / "test_other")
    _, _, data = prepare(local_data, corpus, tmp_path)
    assert json.loads((data / "sets.json").read_text())["test"] == ["srwt_test_clean", "srwt_test_other"]


def test_recordings_and_words_without_each_other_or_unknown_words_are_listed(tmp_path, local_data):
    corpus = make_srwt_mfa(tmp_path / "aligned")
    place = corpus / "train/btrain"
    write(place / "0002.wav", tone("two", 2.0))
    write(place / "0003.wav", tone("three", 2.0))
    (place / "0003.TextGrid").write_text(text_grid([(0.0, 1.0, "<unk>")], 2.0))
    (place / "0004.TextGrid").write_text(text_grid([(0.0, 1.0, "four")], 2.0))
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0 and (data / "srwt_rejected.tsv").read_text().splitlines() == [
        "utterance\ttrain/btrain-0002\trecording without words",
        "utterance\ttrain/btrain-0003\ta word that the aligner did not know: <unk>",
        "words\ttrain/btrain/0004\twords without a recording",
    ]


def test_recordings_of_one_name_cannot_share_words(tmp_path, local_data):
    corpus = make_srwt_funasr(tmp_path / "aligned")
    write(corpus / "train/S0009/BAC009S0000W0001.wav", tone("other", 2.0))
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "two recordings are called BAC009S0000W0001, as words are" in printed


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda corpus: shutil.rmtree(corpus / "test"), "needs one folder train, one valid or dev, and test"),
        (lambda corpus: (corpus / "test/timestamp").unlink(), "ctm, timestamp, *.TextGrid; found S0002"),
        (lambda corpus: (corpus / "test/ctm").touch(), "ctm, timestamp, *.TextGrid; found ctm, timestamp"),
    ],
)
def test_a_corpus_of_another_form_is_told_what_is_expected_and_found(tmp_path, local_data, change, said):
    corpus = make_srwt_funasr(tmp_path / "aligned")
    change(corpus)
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and said in printed
