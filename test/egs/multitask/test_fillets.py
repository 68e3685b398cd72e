import json

import pytest
from fillets import read_dialogue
from make_corpora import make_fillets

from qwen_audio.data.leak import check_leak


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, local_data):
    corpus = make_fillets(tmp_path_factory.mktemp("fillets"))
    status, printed, data = local_data(corpus, "multitask", "--corpus_name", "fillets", "--corpus", corpus)
    assert status == 0, printed
    return data


def test_a_level_is_in_one_split_only(prepared):
    levels = [
        {
            line.split()[0].split("-")[3]
            for line in (prepared / f"fillets_{name}/text").read_text().splitlines()
        }
        for name in ("train", "valid", "test")
    ]
    assert [len(names) for names in levels] == [4, 1, 1] and len(set.union(*levels)) == 6


def test_a_line_has_its_transcript_its_language_and_its_english(prepared):
    text = dict(
        line.split(maxsplit=1)
        for path in prepared.glob("fillets_*/text")
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    assert text["fillets-cs-small-level3-l0"] == 'Řádek 3 "0".'
    rows = [json.loads(line) for path in prepared.glob("fillets_*/examples.jsonl") for line in path.open()]
    (row,) = [row for row in rows if row["utt"] == "fillets-nl-big-level2-l1" and row["task"] == "s2tt"]
    assert (row["audio_lang"], row["text_lang"], row["text"]) == ("nl", "en", "Line 2 1.")
    assert {row["label"] for row in rows if row["task"] == "lid"} == {"Czech", "Dutch"}


def test_lines_without_a_recording_are_listed(prepared):
    listed = (prepared / "fillets_rejected.tsv").read_text().splitlines()
    assert len(listed) == 12 and all("-late\tno recording" in line for line in listed)


def test_nothing_leaks(prepared):
    check_leak([prepared / "fillets_train"], [prepared / "fillets_valid", prepared / "fillets_test"])


def test_escapes_and_roles_of_the_script_are_read(tmp_path):
    script = tmp_path / "dialogs_cs.lua"
    script.write_text(
        'dialogId("a", "font_small", "Say \\"hi\\".")\n\n  dialogStr("Řekni\\n\\"ahoj\\".")\n'
        'dialogId("b", "", "")\ndialogStr("")'
    )
    assert read_dialogue(script) == [("a", "small", 'Say "hi".', 'Řekni "ahoj".'), ("b", "narrator", "", "")]
