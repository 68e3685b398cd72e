import json

import numpy as np
import pytest
import soundfile
from espeak_ng import token_times
from make_corpora import ROOT, make_asterisk, need_programs

from qwen_audio.task_spec import load_tasks

WORD, PHONEME = 1, 7
SENTENCES = ["Please enter, your number.", "Goodbye friends, and farewell.", "All lines, are busy now."]


def test_a_word_ends_where_the_next_begins_or_where_a_pause_comes_first():
    events = [(WORD, 0, 0, ""), (PHONEME, 0, 5, "h"), (WORD, 6, 100, ""), (PHONEME, 6, 250, "_:")]
    events += [(WORD, 13, 300, ""), (PHONEME, 13, 310, "n")]
    assert token_times("hello there, now", events, 400) == [
        (0, 100, "hello"),
        (100, 250, "there,"),
        (300, 400, "now"),
    ]


def test_a_token_of_several_words_starts_with_its_first():
    events = [(WORD, 0, 10, ""), (WORD, 3, 40, ""), (WORD, 9, 90, "")]
    assert token_times("re-entry now", events, 200) == [(10, 90, "re-entry"), (90, 200, "now")]


def test_words_said_as_one_are_refused_by_name():
    with pytest.raises(ValueError, match="no time of its own to a word: the"):
        token_times("of the end", [(WORD, 0, 0, ""), (WORD, 7, 300, "")], 400)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, local_data):
    """Of three sentences one is test; it is said by the voices in turn."""
    folder = tmp_path_factory.mktemp("espeak")
    need_programs("ffmpeg", "espeak-ng")
    prompts = {"en": [*SENTENCES, "one", "two", "three", "four"]}
    corpus = make_asterisk(folder / "corpus", prompts)
    (folder / "downloads").mkdir()
    (folder / "downloads/programs").symlink_to(ROOT / "egs/multitask/downloads/programs")
    status, output, data = local_data(folder, "multitask", "--corpus_name", "espeak", "--corpus", corpus)
    assert status == 0, output
    return data


def test_a_sentence_of_the_test_set_is_said_by_every_voice(prepared):
    rows = [json.loads(line) for line in (prepared / "espeak_test/examples.jsonl").open()]
    for row in rows:
        load_tasks()[row["task"]].check(row)
    (text,) = {row["text"] for row in rows if row["task"] == "asr"}
    assert text in SENTENCES
    words = {tuple(word for _, _, word in row["words"]) for row in rows if row["task"] == "srwt"}
    assert words == {tuple(text.split())}
    assert len({line.split()[1] for line in (prepared / "espeak_test/utt2spk").open()}) == 6
    assert {row["label_origin"] for row in rows} == {"synthetic"}


def test_the_pause_of_a_comma_lies_between_the_times_of_its_words(prepared):
    audio = dict(line.split() for line in (prepared / "espeak_test/wav.scp").open())
    rows = [json.loads(line) for line in (prepared / "espeak_test/examples.jsonl").open()]
    for row in (row for row in rows if row["task"] == "srwt"):
        samples, rate = soundfile.read(audio[row["utt"]])
        (comma,) = [n for n, (_, _, word) in enumerate(row["words"]) if word.endswith(",")]
        end, start = row["words"][comma][1], row["words"][comma + 1][0]
        loud = np.sqrt((samples**2).mean())
        pause = samples[round(end * rate) + rate // 50 : round(start * rate) - rate // 50]
        assert start - end > 0.05 and np.sqrt((pause**2).mean()) < 0.1 * loud
        before = samples[: round(row["words"][0][0] * rate) - rate // 100]
        assert np.sqrt((before**2).mean()) < 0.05 * loud
