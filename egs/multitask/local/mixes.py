#!/usr/bin/env python3
"""Recordings mixed by rule: tasks osr, sd and sv from Asterisk's voices, sed from the sounds; constructed.

    python3 local/mixes.py --corpus downloads/deb --data data

Reads what asterisk.py and sounds.py read, and splits as they do: what a mix for training is made of stands in
no valid or test set of any corpus. Writes data/mixes_{train,valid,test}. What is heard of a clip, from its
first to its last 10 ms within 40 dB of its loudest, is brought to a level drawn anew for every mix.

osr: two clips of one language, the second starting before the first ends. There is one voice a language, so
    both texts are said by the same voice: nothing but the words tells them apart.
sd: two or three clips, neighbours by different people, with a pause or an overlap; a segment is a whole clip,
    its inner pauses included.
sv: two clips with a pause of 0.5 s. "different" are two people, and so two languages; "same" is one person,
    who in the case of Allison Smith may speak English in one and Spanish in the other clip. A language is
    mostly a voice here: a score says little about voices that were never heard.
sed: one to three sounds of different labels, 3 s of each at most, on silence or a faint noise; the labels
    are those of sec.

Languages are mixed in sd and sv, so the language of their prompt is "unknown". Clips that are too short or
too long, or say what another one says, stand in data/mixes_rejected.tsv.
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arguments import run
from asterisk import read_prompts, sound, split_keys, utterance_id
from mixing import FRAME, at_level, heard, lay, seconds, write_once
from sounds import read_sounds
from transcode import decode_g722

from qwen_audio.data.corpus_dir import Utterance, write_corpus
from qwen_audio.data.split import SPLITS, normalise_sentence

PEOPLE = {
    "en": "Allison Smith",
    "es": "Allison Smith",
    "fr": "June Wallack",
    "it": "Carlo Flora",
    "ru": "Maxim",
}
COUNTS = {  # mixes of each task by preset and split
    "default": {"train": 400, "valid": 30, "test": 80},
    "full": {"train": 2000, "valid": 30, "test": 80},
}
SHORTEST, LONGEST = 100, 800  # frames of a clip
SPEECH_LEVEL = (-32, -24)  # dB of full scale, RMS of a clip
LEAST_SHIFT = 30  # frames from one first word to the other, and of overlap at least (osr)
TURNS, GAP = (2, 3), (-100, 80)  # clips (sd), frames from one to the next; negative: both speak,
OVERLAP = 0.4  # but for no more than this share of either
PAUSE = 50  # frames (sv)
SOUNDS, LONGEST_SOUND = 3, 300  # in a mix at most; frames (sed)
SOUND_LEVEL, NOISE_LEVEL = (-32, -20), (-65, -55)  # dB of full scale
SCENE = (500, 1000)  # frames (sed)
LICENCE = """Mixed here from recordings of Debian packages. asterisk-core-sounds-LL-g722: CC-BY-SA-3.0
(Allison Smith, June Wallack), CC-BY-3.0 (Carlo Flora, Maxim). The sounds: the licence of each file stands in
licence.txt of the sets sounds_*.
"""


@dataclass(frozen=True)
class Clip:
    """A recording and what it is: language and text of speech, label of a sound."""

    path: Path
    lang: str = ""
    text: str = ""
    label: str = ""

    @property
    def person(self) -> str:
        return PEOPLE[self.lang]


Clips = dict[str, list[Clip]]  # language or label -> clips of one split
Mix = tuple[np.ndarray, dict]  # (N,) samples in ±1 at 16 kHz, the example


def main(args: argparse.Namespace) -> None:
    speech, rejected = read_speech(args.corpus, args.downloads)
    by_split, unusable = read_sounds(args.corpus, args.downloads / "sounds")
    rejected += unusable
    sets: dict[str, list[Utterance]] = {name: [] for name in SPLITS}
    for split in SPLITS:
        events: Clips = {}
        for s in by_split[split]:
            events.setdefault(s.label, []).append(Clip(s.path, label=s.label))
        check_enough(speech[split], events, f"mixes_{split}")
        for task, make in MAKERS.items():
            clips = events if task == "sed" else speech[split]
            for n in range(COUNTS[args.preset][split]):
                name = f"mixes-{task}-{split}-{n:04d}"
                audio, fields = make(clips, random.Random(name))  # a larger count changes no mix before it
                path = write_once(audio, args.downloads / "mixes")
                example = {"task": task, **fields, "label_origin": "constructed"}
                sets[split].append(Utterance(name, name, str(path), examples=[example]))
    write_corpus(args.data, "mixes", sets, LICENCE, rejected)


def read_speech(corpus: Path, downloads: Path) -> tuple[dict[str, Clips], list[tuple[str, str, str]]]:
    """Split -> its clips by language, no sentence twice in a language; and the rejected rows."""
    prompts, rejected = read_prompts(corpus)
    wavs = decode_g722([sound(corpus, lang, key) for lang, key in prompts], downloads / "asterisk" / "wav")
    audio = dict(zip(prompts, wavs, strict=True))
    split = split_keys(prompts, audio)
    speech: dict[str, Clips] = {name: {} for name in SPLITS}
    said = set()
    for (lang, key), text in prompts.items():
        frames, sentence = len(heard(audio[lang, key])) // FRAME, (lang, normalise_sentence(text))
        if not SHORTEST <= frames <= LONGEST:
            rejected.append(("clip", utterance_id(lang, key), "shorter than 1 s or longer than 8 s"))
        elif sentence in said:
            rejected.append(("clip", utterance_id(lang, key), "another clip says the same"))
        else:
            said.add(sentence)
            speech[split[key]].setdefault(lang, []).append(Clip(audio[lang, key], lang, text))
    return speech, rejected


def check_enough(speech: Clips, events: Clips, name: str) -> None:
    """Raises: ValueError if a language has one clip only, a single person speaks or there is no sound."""
    few = [lang for lang, clips in speech.items() if len(clips) < 2]
    if few:
        raise ValueError(f"{name}: one clip of {few[0]} only; give a corpus with more recordings of it")
    if len({PEOPLE[lang] for lang in speech}) < 2:
        found = ", ".join(speech) or "no language"
        raise ValueError(f"{name}: {found}: less than two people; add asterisk-core-sounds-fr and -fr-g722")
    if not events:
        raise ValueError(f"{name}: no sound for it; give a corpus with more recordings")


def overlapped(clips: Clips, draw: random.Random) -> Mix:
    """osr: texts in the order of their first words."""
    lang = draw.choice(sorted(clips))
    chosen = draw.sample(clips[lang], 2)
    first, second = (speak(clip, draw) for clip in chosen)
    shift = draw.randint(LEAST_SHIFT, len(first) // FRAME - LEAST_SHIFT)
    fields = {"audio_lang": lang, "text_lang": lang, "texts": [clip.text for clip in chosen]}
    return lay([(0, first), (shift, second)]), fields


def conversation(clips: Clips, draw: random.Random) -> Mix:
    """sd: speakers are counted in the order in which they appear."""
    chosen: list[Clip] = []
    for _ in range(draw.randint(*TURNS)):
        before = chosen[-1].person if chosen else None
        lang = draw.choice([lang for lang in sorted(clips) if PEOPLE[lang] != before])
        chosen.append(draw.choice([clip for clip in clips[lang] if clip not in chosen]))
    parts, segments, people, end = [], [], [], 0
    for clip in chosen:
        samples = speak(clip, draw)
        frames = len(samples) // FRAME
        shorter = min(frames, len(parts[-1][1]) // FRAME) if parts else 0
        start = end + max(draw.randint(*GAP), -int(OVERLAP * shorter)) if parts else 0
        end = start + frames
        people += [clip.person] if clip.person not in people else []
        parts.append((start, samples))
        segments.append([seconds(start), seconds(end), str(people.index(clip.person) + 1)])
    return lay(parts), {"audio_lang": "unknown", "segments": segments}


def trial(clips: Clips, draw: random.Random) -> Mix:
    """sv: the same person or another one, equally likely."""
    label = draw.choice(["same", "different"])
    first = draw.choice(sorted(clips))
    others = [lang for lang in sorted(clips) if (PEOPLE[lang] == PEOPLE[first]) == (label == "same")]
    one = draw.choice(clips[first])
    other = draw.choice([clip for clip in clips[draw.choice(others)] if clip != one])
    said = speak(one, draw)
    audio = lay([(0, said), (len(said) // FRAME + PAUSE, speak(other, draw))])
    return audio, {"audio_lang": "unknown", "label": label}


def scene(events: Clips, draw: random.Random) -> Mix:
    """sed: every label equally likely."""
    frames = draw.randint(*SCENE)
    parts, segments = [], []
    for name in draw.sample(sorted(events), draw.randint(1, min(SOUNDS, len(events)))):
        samples = heard(draw.choice(events[name]).path, LONGEST_SOUND)
        length = len(samples) // FRAME
        start = draw.randint(0, frames - length)
        parts.append((start, at_level(samples, draw.uniform(*SOUND_LEVEL))))
        segments.append([seconds(start), seconds(start + length), name])
    if draw.random() < 0.5:
        noise = np.random.default_rng(draw.getrandbits(32)).standard_normal(frames * FRAME)
        parts.append((0, at_level(noise.astype(np.float32), draw.uniform(*NOISE_LEVEL))))
    return lay(parts, frames), {"segments": sorted(segments)}


def speak(clip: Clip, draw: random.Random) -> np.ndarray:
    return at_level(heard(clip.path), draw.uniform(*SPEECH_LEVEL))


MAKERS: dict[str, Callable[[Clips, random.Random], Mix]] = {
    "osr": overlapped,
    "sd": conversation,
    "sv": trial,
    "sed": scene,
}

if __name__ == "__main__":
    run(main, __doc__, "decoded recordings and mixes", COUNTS)
