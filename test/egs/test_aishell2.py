import json
import shutil

import pytest
from layouts_a import make_aishell2


@pytest.fixture
def corpus(tmp_path):
    return make_aishell2(tmp_path / "AISHELL-2")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "aishell2", "--corpus", corpus)


def test_the_three_channels_are_three_test_sets_with_their_own_recordings(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert json.loads((data / "sets.json").read_text()) == {
        "train": ["aishell2_train"],
        "valid": ["aishell2_valid"],
        "test": ["aishell2_test_android", "aishell2_test_ios", "aishell2_test_mic"],
    }
    for channel, utt in {"Mic": "MT0011W0001", "iOS": "IT0011W0001", "Android": "AT0011W0001"}.items():
        folder = data / f"aishell2_test_{channel.lower()}"
        assert (folder / "text").read_text() == f"{utt} 明天会下雨吗\n"
        path = f"{corpus}/AISHELL-DEV-TEST-SET/{channel}/test/wav/T0011/{utt}.wav"
        assert (folder / "wav.scp").read_text() == f"{utt} {path}\n"
    assert (data / "aishell2_train/text").read_text() == "IC0001W0001 换一首歌\n"
    assert (data / "aishell2_valid/text").read_text() == "ID0011W0001 打开 WIFI\n"
    assert "/Mic/test: incomplete: expected 5000 utterances as published, found 1" in printed


def test_a_missing_channel_is_told_with_what_is_there(corpus, tmp_path, local_data):
    shutil.rmtree(corpus / "AISHELL-DEV-TEST-SET/Mic")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "needs AISHELL-DEV-TEST-SET/Mic/test/wav.scp" in printed
    assert "found AISHELL-DEV-TEST-SET, iOS" in printed


def test_a_listed_recording_that_is_not_there_is_counted(corpus, tmp_path, local_data):
    folder = corpus / "AISHELL-DEV-TEST-SET/Mic/test"
    for name, rest in {"wav.scp": "wav/T0011/MT0011W0002.wav", "trans.txt": "没有声音"}.items():
        with (folder / name).open("a") as file:
            file.write(f"MT0011W0002\t{rest}\n")
    status, _, data = prepare(local_data, corpus, tmp_path)
    expected = "text\tMT0011W0002\ttext without a recording\n"
    assert status == 0 and (data / "aishell2_rejected.tsv").read_text() == expected


def test_faulty_lines_are_counted_and_the_others_read(corpus, tmp_path, local_data):
    folder = corpus / "iOS/data"
    text, scp = folder / "trans.txt", folder / "wav.scp"
    text.write_text(
        "IC0001W0001\t换一首歌\nIC0001W0001\t换一首歌\nIC0001W0002\t\n\nIC0001W0003\t一\nIC0001W0003\t二\n"
    )
    scp.write_text(scp.read_text() + "IC0001W0002\twav/C0001/2.wav\nIC0001W0003\twav/C0001/3.wav\n")
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert (data / "aishell2_train/text").read_text() == "IC0001W0001 换一首歌\n"
    assert (data / "aishell2_rejected.tsv").read_text().splitlines() == [
        f"line\t{text}:3\tno utterance or nothing behind it: 'IC0001W0002\\t'",
        f"line\t{text}:4\tno utterance or nothing behind it: ''",
        "recording\tIC0001W0002\trecording without a text",
        "recording\tIC0001W0003\trecording without a text",
        f"utterance\tIC0001W0003\ton two lines that differ: {text}",
    ]


def test_a_line_without_a_tab_is_named(corpus, tmp_path, local_data):
    (corpus / "iOS/data/trans.txt").write_text("IC0001W0001 换一首歌\n")
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "trans.txt:1: 'IC0001W0001 换一首歌'; AISHELL-2 has UTTERANCE, a tab" in printed
