import argparse
import json
from collections import Counter

import numpy as np
import pytest
import soundfile
import syllables
from make_corpora import tone
from syllables import build, common_words, read_aloud, read_recordings, split_recordings

from qwen_audio.data.split import SPLITS
from qwen_audio.task_spec import load_tasks


@pytest.mark.parametrize(
    "word, said",
    [("知道", "ㄓ ㄉㄠ4"), ("重庆", "ㄔㄨㄥ2 ㄑㄧㄥ4"), ("朋友", "ㄆㄥ2 ㄧㄡ3"), ("他们", "ㄊㄚ ㄇㄣ˙")],
)
def test_a_word_is_read_by_its_sense_and_named_as_the_folders_are(word, said):
    assert read_aloud(word) == said.split()


def test_common_words_come_first_and_have_two_to_four_characters():
    words = common_words(800)
    assert (
        {"中国", "我们", "没有"} <= set(words[:10])
        and len(words) == 800
        and {len(word) for word in words} == {2, 3, 4}
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Recordings of every syllable of some common words, in two voices; one in the other's place, one broken."""
    folder = tmp_path_factory.mktemp("gcin")
    said = {syllable for word in common_words(150) for syllable in read_aloud(word)}
    for syllable in said:
        for speaker in "35":
            path = folder / "usr/share/gcin-voice/ogg" / syllable / f"{speaker}.ogg"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(f"{syllable}{speaker}", 0.2, 16000), 16000)
    again = folder / "usr/share/gcin-voice/ogg/ㄓ1/3.ogg"
    again.parent.mkdir()
    soundfile.write(again, tone("again", 0.2), 16000)
    broken = folder / "usr/share/gcin-voice/ogg/ㄌㄨㄥ2/3.ogg"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"no ogg")
    return folder


def test_what_cannot_be_used_is_named_with_its_reason(corpus):
    recordings, rejected = read_recordings(corpus)
    assert sorted(rejected) == [
        ("recording", "ㄌㄨㄥ2/3.ogg", "unreadable audio"),
        ("recording", "ㄓ1/3.ogg", "the first tone is there already"),
    ]
    paths = list(corpus.rglob("*.ogg"))
    assert sum(map(len, recordings.values())) + len(rejected) == len(paths)


def test_no_recording_stands_on_two_sides_and_each_syllable_is_trained(corpus):
    recordings, _ = read_recordings(corpus)
    split = split_recordings(recordings)
    for speaker, said in recordings.items():
        assert Counter(s for name in SPLITS for s in split[speaker][name]) == Counter(said.keys())
    trained = Counter(s for speaker in split for s in split[speaker]["train"])
    assert trained == Counter(set(recordings["3"]) | set(recordings["5"]))


def test_a_folder_without_recordings_is_named_with_the_package(tmp_path):
    with pytest.raises(ValueError, match="gcin-voice/ogg.*package gcin-voice"):
        read_recordings(tmp_path)


def test_a_speaker_who_can_say_too_little_is_named(tmp_path):
    with pytest.raises(ValueError, match="syllables_test: speaker 3 can say 0 words"):
        build({"3": {}}, {"知道": ["ㄓ", "ㄉㄠ4"]}, 1, "test", tmp_path)


def test_the_characters_of_a_word_follow_each_other_and_words_do_not(tmp_path):
    pieces = {"3": {s: np.full(1600, 0.1) for s in ("ㄓ", "ㄉㄠ4", "ㄖㄣ2")}}
    words = {w: ["ㄓ", "ㄉㄠ4"] for w in ("甲乙", "丙丁", "戊己", "庚辛", "子丑")}
    (clip,) = build(pieces, words, 1, "train", tmp_path)
    asr, srwt = clip.examples
    times = srwt["words"]
    assert "".join(word for _, _, word in times) == asr["text"]
    gaps = [round(after[0] - before[1], 2) for before, after in zip(times, times[1:])]
    assert all(gap == 0 for gap in gaps[::2]) and all(0.05 <= gap <= 0.4 for gap in gaps[1::2])


def test_train_valid_and_test_are_written_for_both_tasks(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(syllables.CLIPS, "default", {"train": 8, "valid": 2, "test": 4})
    monkeypatch.setattr(syllables, "TESTED", 0.5)
    options = argparse.Namespace(corpus=corpus, data=tmp_path, downloads=tmp_path / "down", preset="default")
    syllables.main(options)
    for name, count in (("train", 8), ("valid", 2), ("test", 4)):
        rows = [json.loads(line) for line in (tmp_path / f"syllables_{name}/examples.jsonl").open()]
        for row in rows:
            load_tasks()[row["task"]].check(row)
        assert Counter(row["task"] for row in rows) == {"asr": count, "srwt": count}
