import argparse
import json

import pytest
import voices
from make_corpora import make_voices

from qwen_audio.data.leak import check_leak
from qwen_audio.task_spec import load_tasks


def prepare(folder):
    voices.main(argparse.Namespace(corpus=folder, data=folder / "data"))
    return folder / "data"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(make_voices(tmp_path_factory.mktemp("voices")))


def labels(data, name="*"):
    rows = [json.loads(line) for path in data.glob(f"voices_{name}/examples.jsonl") for line in path.open()]
    for row in rows:
        load_tasks()[row["task"]].check(row)
    return {row["utt"]: row["label"] for row in rows}


def test_the_file_name_is_the_label(prepared):
    mine = {utt.split("-")[2]: label for utt, label in labels(prepared).items() if "-Default_es-" in utt}
    assert mine == {
        "Laugh": "laughter",
        "PoisonCough": "cough",
        "PoisonMoan": "moan",
        "Hmm": "hum",
        "Ow1": "cry of pain",
        "Ow2": "cry of pain",
        "Ooff1": "grunt",
    }


def test_a_pack_is_in_one_split(prepared):
    packs = {
        name: {utt.split("-")[1] for utt in labels(prepared, name)} for name in ("train", "valid", "test")
    }
    assert packs["test"] == {"Default_pl"} and packs["valid"] == {"Default_ru"}
    assert packs["train"] >= {"Default_es"} and "Default_pl" not in packs["train"]


def test_every_label_is_in_every_split(prepared):
    for name in ("train", "valid", "test"):
        assert set(labels(prepared, name).values()) == set(voices.NAMES.values())


def test_what_is_not_used_is_listed_with_its_reason(prepared):
    listed = (prepared / "voices_rejected.tsv").read_text().splitlines()
    reasons = dict(line.split("\t")[1:] for line in listed)
    assert reasons["Default/Hello.ogg"].startswith("words") and "Default/Jump1.ogg" in reasons
    assert reasons["Robot/Ow1.ogg"] == "no human voice"
    assert reasons["Default/Laugh.ogg"] == "same recording as another name: Classic/Laugh.ogg"
    assert len(reasons) + len(labels(prepared)) == len(list(prepared.parent.rglob("*.ogg")))


def test_no_recording_leaks(prepared):
    held = [prepared / "voices_valid", prepared / "voices_test"]
    assert check_leak([prepared / "voices_train"], held)["held_out_recordings"] == 14


def test_the_licence_is_that_of_the_sounds(prepared):
    assert "Korotaev: GFDL-1.3." in (prepared / "voices_train/licence.txt").read_text()


def test_a_recording_of_two_packs_stays_on_one_side(tmp_path):
    packs = make_voices(tmp_path) / voices.VOICES
    (packs / "Default_ru/Hmm.ogg").write_bytes((packs / "Default_es/Ow1.ogg").read_bytes())
    data = prepare(tmp_path)
    assert "voices-Default_ru-Hmm" not in labels(data)
    check_leak([data / "voices_train"], [data / "voices_valid", data / "voices_test"])


def test_a_folder_without_voices_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no voices; it must hold .*voices/PACK/NAME\.ogg"):
        prepare(tmp_path)
