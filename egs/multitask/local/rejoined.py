#!/usr/bin/env python3
"""English words cut from recordings and put together again: word times that are exact, in a real voice.

    python3 local/rejoined.py --corpus downloads/deb --data data

Reads what asterisk.py reads and takes the prompts of its test set alone. Each word is cut where an aligner
(pocketsphinx) hears it, trimmed of silence, and set down with a pause before it: pieces.py. Where the aligner
errs a piece holds a little of its neighbour, but where a piece begins and ends is known. Writes
data/rejoined_test with the task srwt: half of the clips are prompts with their own words pulled apart, half
are words drawn from all of them. Words that are not used stand in data/rejoined_rejected.tsv.
"""

import argparse
import random
import re

import numpy as np
from align_words import align_all
from arguments import run
from asterisk import LICENCE, VOICES, read_prompts, sound, split_keys
from pieces import RATE, STEP, draw_pauses, place, trim
from transcode import decode_g722

from qwen_audio.audio import read_audio
from qwen_audio.data.corpus_dir import Utterance, write_corpus

CLIPS = {"default": 80, "full": 100}
WORDS = (3, 12)  # of a clip
PAUSE = (5, 50)  # steps of 10 ms between words
SHORTEST = 10  # steps: what is shorter is no word that can be heard alone
LONGEST = 28.0  # seconds of a clip
MARKS = re.compile(r"^[\W_]+|[\W_]+$")  # around a word

Piece = tuple[np.ndarray, str]  # wave, word


def main(args: argparse.Namespace) -> None:
    prompts, rejected = read_prompts(args.corpus)
    folder = args.downloads / "asterisk"
    wavs = decode_g722([sound(args.corpus, lang, key) for lang, key in prompts], folder / "wav")
    audio = dict(zip(prompts, wavs, strict=True))
    split = split_keys(prompts, audio)
    english = {
        key: (audio["en", key], text)
        for (lang, key), text in prompts.items()
        if lang == "en" and split[key] == "test"
    }
    aligned, reasons = align_all(english, folder / "align.jsonl", args.nj)
    rejected += [("prompt", key, reason) for key, reason in reasons.items()]
    said: dict[str, list[Piece]] = {}
    for key, words in aligned.items():
        pieces, short = cut_words(read_audio(str(english[key][0])), words)
        said[key] = pieces
        rejected += [("word", f"{key} {n} {word}", "too short to stand alone") for n, word in short]
    clips = choose(said, CLIPS[args.preset])
    rows = []
    for n, (kind, pieces, pauses) in enumerate(clips):
        path, words = place(pieces, pauses, args.downloads / "rejoined", seed=n)
        utt = f"{VOICES['en']}-rejoined-{kind}-{n:03d}"
        example = {"task": "srwt", "audio_lang": "en", "text_lang": "en", "words": words}
        example["label_origin"] = "constructed"
        rows.append(Utterance(utt, VOICES["en"], str(path), lang="en", examples=[example]))
    licence = LICENCE.format(packages="asterisk-core-sounds-en(-g722)")
    write_corpus(args.data, "rejoined", {"test": rows}, licence, rejected)


def cut_words(wave: np.ndarray, words: list[list]) -> tuple[list[Piece], list[tuple[int, str]]]:
    """The words of a recording as pieces, in lower case without marks; and (place, word) of those too short."""
    pieces, short = [], []
    for n, (start, end, word) in enumerate(words):
        piece = trim(wave[round(start * RATE) : round(end * RATE)])
        if len(piece) < SHORTEST * STEP:
            short.append((n, word))
        else:
            pieces.append((piece, MARKS.sub("", word).lower()))
    return pieces, short


def choose(said: dict[str, list[Piece]], count: int) -> list[tuple[str, list[Piece], list[int]]]:
    """``count`` clips as (kind, pieces, pauses): prompts as they were said, and as many draws of any words.

    The same prompts give the same clips. Prompts of fewer words than a clip has give words alone.
    """
    draw, clips = random.Random(0), []
    prompts = [pieces for pieces in said.values() if len(pieces) >= WORDS[0]]
    for pieces in draw.sample(prompts, min(len(prompts), count // 2)):
        clips.append(("said", pieces[: WORDS[1]]))
    words = [piece for pieces in said.values() for piece in pieces]
    while len(clips) < count and len(words) >= WORDS[1]:
        clips.append(("drawn", draw.sample(words, draw.randint(*WORDS))))
    paused = [(kind, pieces, draw_pauses(draw, len(pieces), *PAUSE)) for kind, pieces in clips]
    return [clip for clip in paused if _seconds(clip[1], clip[2]) <= LONGEST]


def _seconds(pieces: list[Piece], pauses: list[int]) -> float:
    return (sum(len(wave) for wave, _ in pieces) + sum(pauses) * STEP) / RATE


if __name__ == "__main__":
    run(main, __doc__, "decoded audio and alignments", CLIPS, nj="processes that align")
