import json

import align_words
import numpy as np
import soundfile
from make_corpora import WORD_CLIP

TEXT = "Please enter your number."


def test_each_clip_is_aligned_once_and_accounted_for(tmp_path, monkeypatch):
    cache = tmp_path / "align.jsonl"
    soundfile.write(tmp_path / "long.wav", np.zeros(31 * 16000), 16000)
    clips = {
        "good": (WORD_CLIP, TEXT),
        "bad": (WORD_CLIP, "Xyzzyx"),
        "long": (tmp_path / "long.wav", "please"),
    }
    words, reasons = first = align_words.align_all(clips, cache, processes=1)
    assert [word for *_, word in words["good"]] == TEXT.split() and set(words) == {"good"}
    assert reasons["bad"] == "not in the dictionary: Xyzzyx" and reasons["long"].startswith("too long: 31")
    monkeypatch.setattr(align_words, "Pocketsphinx", None)  # a second run aligns nothing
    assert align_words.align_all(clips, cache, processes=1) == first
    assert len(cache.read_text().splitlines()) == 3 == len({json.loads(x)["key"] for x in cache.open()})
