#!/usr/bin/env python3
"""MELD as published (MELD.Raw): SPLIT_sent_emo.csv and clips diaN_uttM.mp4 in a folder for each split.

    python3 local/meld.py --corpus MELD.Raw --data data --downloads downloads

Writes data/meld_{train,valid,test} with the emotion of each clip, and the clips' sound as 16 kHz wave files
in downloads/meld, where what was decoded once is not decoded again. In the test split some clips are there
twice; final_videos_testdiaN_uttM.mp4 is the one that fits the table. A clip that is missing or that ffmpeg
refuses stands with its reason in data/meld_rejected.tsv.
"""

import argparse
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpus_reader import enter, need, read_columns, run_reader, sets_there, tell_size

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus

SPLITS = {  # name: (MELD's name, folder of the clips, utterances)
    "train": ("train", "train_splits", 9989),
    "valid": ("dev", "dev_splits_complete", 1109),
    "test": ("test", "output_repeated_splits_test", 2610),
}
EMOTIONS = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
COLUMNS = ("Emotion", "Dialogue_ID", "Utterance_ID")
LICENCE = "MELD (Poria et al., 2019): annotation GPL-3.0; clips of a television series, for research.\n"


def main(args: argparse.Namespace) -> None:
    if not shutil.which("ffmpeg"):
        raise ValueError("ffmpeg is missing; install it, or run tools/fetch_debs.sh --programs ffmpeg")
    corpus = enter(args.corpus, "MELD.Raw")
    tables = {name: f"{split}_sent_emo.csv" for name, (split, _, _) in SPLITS.items()}
    own = {name: f"{split}/{tables[name]}" for name, (split, _, _) in SPLITS.items()}
    places = {name: own[name] if (corpus / own[name]).exists() else table for name, table in tables.items()}
    found = {}
    for name in sets_there(corpus, places, args.test_only):
        split, folder, size = SPLITS[name]
        table = locate(corpus, split, f"{split}_sent_emo.csv")
        emotions = read_emotions(table)
        tell_size(table, len(emotions), size)
        found[name] = (locate(corpus, split, folder), split, emotions)
    rejected: Rejected = []
    sets = {name: read_clips(*parts, args.downloads / "meld", rejected) for name, parts in found.items()}
    write_corpus(args.data, "meld", sets, LICENCE, rejected)


def locate(corpus: Path, split: str, name: str) -> Path:
    """``name`` in MELD.Raw, or in a folder of the split's own, as its archive may have been unpacked.

    Raises:
        ValueError: naming what is there instead.
    """
    if (corpus / split / name).exists():
        return corpus / split / name
    need(corpus, name)
    return corpus / name


def read_emotions(path: Path) -> dict[str, str]:
    """Clip (diaN_uttM) -> emotion. The sentences hold stray bytes of cp1252 and are not read.

    Raises:
        ValueError: naming the line with another emotion than MELD's seven.
    """
    emotions = {}
    for number, row in read_columns(path, COLUMNS, encoding="latin-1"):
        if row["Emotion"] not in EMOTIONS:
            raise ValueError(f"{path}:{number}: emotion {row['Emotion']!r}; MELD has {', '.join(EMOTIONS)}")
        emotions[f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"] = row["Emotion"]
    return emotions


def read_clips(
    folder: Path, split: str, emotions: dict[str, str], downloads: Path, rejected: Rejected
) -> list[Utterance]:
    """Decode the clips of a split; an utterance is called SPLIT_diaN_uttM."""
    (downloads / split).mkdir(parents=True, exist_ok=True)

    def decode_clip(name: str) -> str:
        best = folder / f"final_videos_test{name}.mp4"
        return decode(best if best.is_file() else folder / f"{name}.mp4", downloads / split / f"{name}.wav")

    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, fault in zip(emotions, pool.map(decode_clip, emotions), strict=True):
            utt = f"{split}_{name}"
            if fault:
                rejected.append(("clip", utt, fault))
            else:
                examples = [{"task": "er", "label": emotions[name]}]
                audio = downloads / split / f"{name}.wav"
                rows.append(Utterance(utt, utt, str(audio), lang="en", examples=examples))
    return rows


def decode(clip: Path, wav: Path) -> str:
    """Write the sound of a clip as a mono wave file; returns why that is not possible, else nothing."""
    if not clip.is_file():
        return "emotion without a clip"
    if wav.is_file():
        return ""
    part = wav.with_suffix(".part")
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", clip, "-vn"]
    command += ["-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "wav", part]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
    if done.returncode:
        part.unlink(missing_ok=True)
        return f"corrupt clip: {(done.stderr.strip().splitlines() or ['ffmpeg refuses it'])[-1]}"
    part.replace(wav)
    return ""


if __name__ == "__main__":
    run_reader(main, __doc__)
