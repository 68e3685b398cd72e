import json

import align_words
import numpy as np
import pytest
import soundfile
from make_corpora import WORD_CLIP, WORD_TIMES

TEXT = "Please enter your number."


def test_words_stand_where_they_were_laid():
    words = align_words.align(WORD_CLIP, TEXT)
    assert [word for _, _, word in words] == ["Please", "enter", "your", "number."]
    for (start, end, _), (true_start, true_end, _) in zip(words, WORD_TIMES, strict=True):
        assert start == pytest.approx(true_start, abs=0.2) and end == pytest.approx(true_end, abs=0.2)


def test_times_never_fall_nor_pass_the_end():
    samples, rate = soundfile.read(WORD_CLIP)
    edges = [edge for start, end, _ in align_words.align(WORD_CLIP, TEXT) for edge in (start, end)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= len(samples) / rate


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("Re-enter,", ["re", "enter"]),
        ("party's", ["party's"]),
        ("7", ["seven"]),
        ("“Yes”", ["yes"]),
        ("#", []),
    ],
)
def test_a_token_is_spoken_as(token, words):
    assert align_words.spoken_words(token) == words


def test_marks_that_are_not_spoken_join_a_word():
    assert align_words.join_silent("... enter it — now ...".split()) == ["...enter", "it—", "now..."]


def test_a_word_out_of_the_dictionary_is_named():
    with pytest.raises(ValueError, match="not in the dictionary: Xyzzyx"):
        align_words.align(WORD_CLIP, "please Xyzzyx")


def test_a_sign_that_may_be_spoken_is_refused():
    with pytest.raises(ValueError, match="not in the dictionary: #"):
        align_words.align(WORD_CLIP, "please #")


def test_a_clip_past_the_last_time_token_is_refused(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(31 * 16000), 16000)
    with pytest.raises(ValueError, match="longer than 30 s"):
        align_words.align(tmp_path / "long.wav", "please")


def test_each_clip_is_aligned_once_and_accounted_for(tmp_path, monkeypatch):
    cache = tmp_path / "align.jsonl"
    clips = {"good": (WORD_CLIP, TEXT), "bad": (WORD_CLIP, "Xyzzyx")}
    first = align_words.align_all(clips, cache, processes=1)
    assert set(first[0]) == {"good"} and first[1] == {"bad": "not in the dictionary: Xyzzyx"}
    monkeypatch.setattr(align_words.multiprocessing, "get_context", None)  # a second run starts no process
    assert align_words.align_all(clips, cache, processes=1) == first
    assert len(cache.read_text().splitlines()) == 2 == len({json.loads(x)["key"] for x in cache.open()})
