import argparse
import json

import numpy as np
import pytest
import rejoined
import soundfile
from make_corpora import WORD_CLIP, WORD_TIMES, make_asterisk
from rejoined import RATE, WORDS, choose, cut_words

from qwen_audio.task_spec import load_tasks


def test_a_word_is_cut_where_it_was_heard_without_silence_and_without_marks():
    wave, _ = soundfile.read(WORD_CLIP)
    heard = [[start - 0.05, end + 0.05, word.title() + ","] for start, end, word in WORD_TIMES]
    pieces, short = cut_words(wave, heard)
    assert [word for _, word in pieces] == ["please", "enter", "your", "number"] and not short
    for (piece, _), (start, end, _) in zip(pieces, WORD_TIMES, strict=True):
        assert end - start - 0.06 < len(piece) / RATE <= end - start + 0.02


def test_a_word_too_short_to_stand_alone_is_named():
    wave = 0.1 * np.sin(np.arange(RATE))
    pieces, short = cut_words(wave, [[0.0, 0.09, "a"], [0.2, 0.5, "Re-enter..."], [0.5, 0.5, "the"]])
    assert [word for _, word in pieces] == ["re-enter"] and short == [(0, "a"), (2, "the")]


def test_half_of_the_clips_are_prompts_in_order_and_half_are_draws_of_any_words():
    said = {key: [(np.ones(1600), f"{key}{n}") for n in range(5)] for key in "abcdefgh"}
    clips = choose(said, 10)
    kinds = [kind for kind, _, _ in clips]
    assert kinds == ["said"] * 5 + ["drawn"] * 5
    words = [[word for _, word in pieces] for _, pieces, _ in clips]
    assert all(w == [f"{w[0][0]}{n}" for n in range(5)] for w in words[:5])
    assert all(WORDS[0] <= len(w) == len(set(w)) <= WORDS[1] for w in words)
    assert any(len({name[0] for name in w}) > 1 for w in words[5:])
    again = choose(said, 10)
    assert [(kind, pauses) for kind, _, pauses in again] == [(kind, pauses) for kind, _, pauses in clips]


def test_too_few_words_give_no_clip():
    assert choose({"a": [(np.ones(1600), "one"), (np.ones(1600), "two")]}, 10) == []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A corpus all of which is test: split_keys is what asterisk.py's own tests cover."""
    folder = tmp_path_factory.mktemp("rejoined")
    options = argparse.Namespace(
        corpus=make_asterisk(folder), data=folder / "data", downloads=folder / "down", preset="default", nj=1
    )
    options.data.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rejoined, "split_keys", lambda prompts, audio: dict.fromkeys([k for _, k in prompts], "test")
        )
        rejoined.main(options)
    return options.data


def test_a_prompt_pulled_apart_becomes_a_test_set_and_nothing_else(prepared):
    assert {path.name for path in prepared.glob("rejoined_*") if path.is_dir()} == {"rejoined_test"}
    assert json.loads((prepared / "sets.json").read_text()) == {
        "train": [],
        "valid": [],
        "test": ["rejoined_test"],
    }
    rows = [json.loads(line) for line in (prepared / "rejoined_test/examples.jsonl").open()]
    for row in rows:
        load_tasks()["srwt"].check(row)
    assert ["please", "enter", "your", "number"] in [[word for _, _, word in row["words"]] for row in rows]
    assert {row["label_origin"] for row in rows} == {"constructed"}


def test_the_words_stand_where_there_is_sound(prepared):
    audio = dict(line.split() for line in (prepared / "rejoined_test/wav.scp").open())
    for row in map(json.loads, (prepared / "rejoined_test/examples.jsonl").open()):
        samples, rate = soundfile.read(audio[row["utt"]])
        spoken = np.zeros(len(samples), bool)
        for start, end, _ in row["words"]:
            spoken[round(start * rate) : round(end * rate)] = True
        assert np.abs(samples[spoken]).max() > 10 * np.abs(samples[~spoken]).max()
