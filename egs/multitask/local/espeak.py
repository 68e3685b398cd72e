#!/usr/bin/env python3
"""English of a synthesiser, espeak-ng, which tells when it says each word: times that no aligner guessed.

    python3 local/espeak.py --corpus downloads/deb --data data

Reads what asterisk.py reads and takes the English sentences of its test set, which nothing is trained on. Writes
data/espeak_test with the tasks srwt and asr: every sentence by some of several voices, each at its own speed,
between two moments of silence. A sentence of which espeak-ng says two words as one ("of the") has no exact times; it
stands in data/espeak_rejected.tsv.
"""

import argparse
import random

import numpy as np
from arguments import run
from asterisk import LICENCE, SENTENCE_WORDS, read_prompts, sound, split_keys
from espeak_ng import Synthesiser
from pieces import RATE, write_clip
from transcode import decode_g722

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

CLIPS = {"default": 80, "full": 100}
VOICES = ("en-US", "en", "en-US+f3", "en-GB-scotland", "en-029+m3", "en-GB-x-rp+f2")
SPEED = (140, 185)  # words a minute; espeak-ng's own is 175
SILENCE = (0.1, 0.6)  # seconds, before and after
LICENCE_AUDIO = "Speech: made with espeak-ng (GPL-3) from those texts; no recording is in it.\n"


def main(args: argparse.Namespace) -> None:
    prompts, rejected = read_prompts(args.corpus)
    wavs = decode_g722(
        [sound(args.corpus, lang, key) for lang, key in prompts], args.downloads / "asterisk" / "wav"
    )
    split = split_keys(prompts, dict(zip(prompts, wavs, strict=True)))
    sentences = sorted(
        {
            text
            for (lang, key), text in prompts.items()
            if lang == "en" and split[key] == "test" and len(text.split()) >= SENTENCE_WORDS
        }
    )
    rows = synthesise(sentences, CLIPS[args.preset], args, rejected)
    licence = LICENCE.format(packages="asterisk-core-sounds-en(-g722)") + LICENCE_AUDIO
    write_corpus(args.data, "espeak", {"test": rows}, licence, rejected)


def synthesise(
    sentences: list[str], count: int, args: argparse.Namespace, rejected: Rejected
) -> list[Utterance]:
    """``count`` clips: the sentences in turn by the voices in turn; the same sentences give the same clips."""
    speaker = Synthesiser(args.downloads / "programs")
    draw, rows, left = random.Random(0), [], list(sentences)
    while left and len(rows) < count:
        for text in list(left):
            voice = VOICES[len(rows) % len(VOICES)]
            speaker.use(f"gmw/{voice}", draw.randint(*SPEED))
            try:
                wave, times = speaker.say(text)
            except ValueError as error:
                left.remove(text)
                rejected.append(("sentence", text, str(error)))
                continue
            before, after = (round(draw.uniform(*SILENCE), 2) for _ in range(2))
            clip = np.concatenate([np.zeros(round(before * RATE)), wave, np.zeros(round(after * RATE))])
            path = write_clip(clip, args.downloads / "espeak", seed=len(rows))
            rows.append(utterance(len(rows), voice, str(path), text, before, times))
            if len(rows) == count:
                break
    return rows


def utterance(number: int, voice: str, path: str, text: str, before: float, times: list[list]) -> Utterance:
    languages = {"audio_lang": "en", "text_lang": "en", "label_origin": "synthetic"}
    words = [[round(before + start, 2), round(before + end, 2), word] for start, end, word in times]
    speaker = f"espeak-{voice.replace('+', '-')}"
    examples = [
        {"task": "srwt", **languages, "words": words},
        {"task": "asr", **languages, "text": text},
    ]
    return Utterance(f"{speaker}-{number:03d}", speaker, path, lang="en", examples=examples)


if __name__ == "__main__":
    run(main, __doc__, "decoded audio and what was synthesised", CLIPS)
