#!/usr/bin/env python3
"""Mandarin from recorded syllables: characters whose times are exact, said by two speakers.

    python3 local/syllables.py --corpus downloads/deb --data data

Reads usr/share/gcin-voice/ogg/SYLLABLE/SPEAKER.ogg under --corpus; a folder is called by its bopomofo with the
tone, none for the first. Common words of jieba's list, read by pypinyin, are made of them: the syllables of a
word one right after another, a pause between words, a few words a clip, all by one speaker. Writes
data/syllables_{train,valid,test} with the tasks srwt and asr, Chinese: of the 800 commonest words, so that most of
those tested were trained, in other recordings (--preset full: of 20,000). Each recording stands on one side only:
of a syllable's two recordings one is for training and the other for valid or test, where it is a voice that
was trained on other syllables. Neither tones nor lengths change as they do in speech, and the neutral tone
has no recordings: this is a set of known times, not of how Mandarin sounds. What is not used stands in
data/syllables_rejected.tsv.
"""

import argparse
import hashlib
import importlib.util
import random
from pathlib import Path

import numpy as np
from arguments import run
from pieces import draw_pauses, place, trim
from pypinyin import Style, pinyin

from qwen_audio.audio import AudioError, read_audio
from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus
from qwen_audio.data.split import SPLITS
from qwen_audio.words import split_words

CLIPS = {
    "default": {"train": 600, "valid": 40, "test": 80},
    "full": {"train": 3000, "valid": 60, "test": 100},
}
WORDS = (2, 5)  # of a clip; words have 2 to 4 characters
PAUSE = (5, 40)  # steps of 10 ms between words
# words of the list, the commonest first: an hour hears few often enough
COMMON = {"default": 800, "full": 20000}
TESTED = 0.6  # of the recordings that are not for training; the others are for valid
TONES = {"ˊ": "2", "ˇ": "3", "ˋ": "4"}  # pypinyin's marks, and how the folders write them
LICENCE = """Recordings: Debian package gcin-voice; 3.ogg Edward Der-Hua Liu, GPL-3 or LGPL-3; 5.ogg Chu Lo and
ChionMeilin, CC-BY-3.0. Words: jieba's dictionary (MIT); their readings: pypinyin (MIT). Times: by construction.
"""

Recordings = dict[str, dict[str, np.ndarray]]  # speaker -> syllable -> piece


def main(args: argparse.Namespace) -> None:
    recordings, rejected = read_recordings(args.corpus)
    words = {word: read_aloud(word) for word in common_words(COMMON[args.preset])}
    sets: dict[str, list[Utterance]] = {}
    for name in SPLITS:
        pieces = {speaker: said[name] for speaker, said in split_recordings(recordings).items()}
        sets[name] = build(pieces, words, CLIPS[args.preset][name], name, args.downloads / "syllables")
    write_corpus(args.data, "syllables", sets, LICENCE, rejected)


def read_recordings(corpus: Path) -> tuple[Recordings, Rejected]:
    """Every recording trimmed, by speaker and syllable, and those that are not used.

    Raises:
        ValueError: if there is none.
    """
    folder = corpus / "usr/share/gcin-voice/ogg"
    recordings: Recordings = {}
    rejected = []
    for path in sorted(folder.glob("*/*.ogg")):
        syllable, speaker = path.parent.name.removesuffix("1"), path.stem
        try:
            if syllable in recordings.get(speaker, {}):
                raise ValueError("the first tone is there already")
            piece = trim(read_audio(str(path)))
            if not len(piece):
                raise ValueError("nothing but silence")
            recordings.setdefault(speaker, {})[syllable] = piece
        except AudioError as error:
            rejected.append(("recording", f"{path.parent.name}/{path.name}", str(error).partition(":")[0]))
        except ValueError as error:
            rejected.append(("recording", f"{path.parent.name}/{path.name}", str(error)))
    if not recordings:
        raise ValueError(
            f"{folder}: no SYLLABLE/SPEAKER.ogg; --corpus must hold the package gcin-voice unpacked"
        )
    return recordings, rejected


def split_recordings(recordings: Recordings) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """speaker -> split -> syllable -> piece: one speaker of each syllable is for training, chosen by hash."""
    split: dict = {speaker: {name: {} for name in SPLITS} for speaker in recordings}
    for syllable in {syllable for said in recordings.values() for syllable in said}:
        draw = random.Random(hashlib.sha1(syllable.encode()).digest())
        speakers = sorted(speaker for speaker, said in recordings.items() if syllable in said)
        trained = draw.choice(speakers)
        held_out = "test" if draw.random() < TESTED else "valid"
        for speaker in speakers:
            name = "train" if speaker == trained else held_out
            split[speaker][name][syllable] = recordings[speaker][syllable]
    return split


def common_words(count: int) -> list[str]:
    """The ``count`` commonest words of jieba's dictionary (``word frequency part``) that have 2 to 4 characters."""
    (folder,) = importlib.util.find_spec("jieba").submodule_search_locations
    lines = (Path(folder) / "dict.txt").read_text(encoding="utf-8").splitlines()
    rows = [(int(count), word) for word, count, _ in (line.split(" ") for line in lines)]
    fit = [row for row in rows if 2 <= len(row[1]) <= 4 and all("一" <= sign <= "鿿" for sign in row[1])]
    return [word for _, word in sorted(fit, key=lambda row: (-row[0], row[1]))[:count]]


def read_aloud(word: str) -> list[str]:
    """The syllables of a word as the folders are called: 知道 -> ㄓ, ㄉㄠ4. A neutral tone keeps its mark ˙."""
    read = [options[0] for options in pinyin(word, style=Style.BOPOMOFO)]
    return [syllable[:-1] + TONES[syllable[-1]] if syllable[-1] in TONES else syllable for syllable in read]


def build(
    pieces: dict[str, dict[str, np.ndarray]], words: dict[str, list[str]], count: int, name: str, folder: Path
) -> list[Utterance]:
    """``count`` clips, the speakers in turn; the same pieces and words give the same clips.

    Args:
        pieces: speaker -> syllable -> wave.
        words: word -> its syllables.
        name: of the set, for the ids.

    Raises:
        ValueError: if a speaker has not the syllables of enough words.
    """
    draw, made = random.Random(name), []
    speakers = sorted(pieces)
    can_say = {
        speaker: [w for w, said in words.items() if set(said) <= pieces[speaker].keys()] for speaker in pieces
    }
    for n in range(count):
        speaker = speakers[n % len(speakers)]
        if len(can_say[speaker]) < WORDS[1]:
            raise ValueError(
                f"syllables_{name}: speaker {speaker} can say {len(can_say[speaker])} words, {WORDS[1]} are needed;"
                " give the whole package gcin-voice"
            )
        chosen = draw.sample(can_say[speaker], draw.randint(*WORDS))
        between = draw_pauses(draw, len(chosen), *PAUSE)
        said, pauses = [], []
        for word, pause in zip(chosen, between, strict=False):
            for place_in_word, (sign, syllable) in enumerate(zip(word, words[word], strict=True)):
                said.append((pieces[speaker][syllable], sign))
                pauses.append(0 if place_in_word else pause)
        path, times = place(said, [*pauses, between[-1]], folder, seed=n)
        text = "".join(chosen)
        assert [word for _, _, word in times] == split_words(text, "zh")
        example = {
            "task": "srwt",
            "audio_lang": "zh",
            "text_lang": "zh",
            "words": times,
            "label_origin": "constructed",
        }
        asr = {
            "task": "asr",
            "audio_lang": "zh",
            "text_lang": "zh",
            "text": text,
            "label_origin": "constructed",
        }
        utt = f"gcin{speaker}-syllables-{name}-{n:04d}"
        made.append(Utterance(utt, f"gcin{speaker}", str(path), lang="zh", examples=[asr, example]))
    return made


if __name__ == "__main__":
    run(main, __doc__, "clips made of the syllables", CLIPS)
