#!/usr/bin/env python3
"""MUSIC-AVQA as published: questions about videos of music; taken are those that are to be answered by ear.

    local/data.sh --corpus MUSIC-AVQA

Reads json/avqa-{train,val,test}.json, or data/json/ as in a clone of GeWu-Lab/MUSIC-AVQA (video_id, type,
question_content, templ_values, anser), and, anywhere below the folder, ID.wav, .flac or .mp3, else ID.mp4, whose
sound ffmpeg extracts once into downloads/. Writes data/musicavqa_{train,valid,test} with an mqa row for each
question of the type Audio (counting, comparing), as the paper's ablation takes them; test alone where no video of
train is there. Of a clip the first 30 s are heard: all that Whisper's encoder takes in.
"""

import argparse
import json
import re
import subprocess
from pathlib import Path

from corpus_reader import run_reader, sets_there, tell_size, tell_test_alone

from qwen_audio.audio import SAMPLE_RATE, AudioError, num_samples
from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus
from qwen_audio.progress import progress

SETS = {"train": ("train", 32087), "valid": ("val", 4595), "test": ("test", 9185)}  # questions as published
KEYS = ("video_id", "question_id", "type", "question_content", "templ_values", "anser")
TABLES = ("json", "data/json")
AUDIO, VIDEO = (".wav", ".flac", ".mp3"), ".mp4"
SECONDS = 30.0
LICENCE = "MUSIC-AVQA (Li et al., 2022): questions for research; videos are their YouTube authors'.\n"


def main(args: argparse.Namespace) -> None:
    folder = next((name for name in TABLES if (args.corpus / name).is_dir()), TABLES[0])
    tables = {name: f"{folder}/avqa-{split}.json" for name, (split, _) in SETS.items()}
    there = sets_there(args.corpus, tables, args.test_only)
    rejected: Rejected = []
    asked: dict[str, dict[str, list[dict]]] = {}
    for name in reversed(there):  # a video of test or valid is none of training
        others = set().union(*asked.values()) if name == "train" else set()
        asked[name] = read_questions(args.corpus / tables[name], SETS[name][1], others, rejected)
    found = find_files(args.corpus, set().union(*asked.values()))
    if "train" in there and not asked["train"].keys() & found.keys() and asked["test"].keys() & found.keys():
        tell_test_alone(args.corpus, [f"video of {tables['train']}"])
        there, asked = ["test"], {"test": asked["test"]}
    clips = hear(set().union(*asked.values()), found, args.downloads / "musicavqa", rejected)
    sets = {name: [clip(video, clips[video], rows) for video, rows in asked[name].items() if video in clips]
            for name in there}  # fmt: skip
    write_corpus(args.data, "musicavqa", sets, LICENCE, rejected)


def read_questions(path: Path, published: int, others: set[str], rejected: Rejected) -> dict[str, list[dict]]:
    """The audio questions of a split as mqa rows, by video; those about a video of ``others`` are left out.

    Raises:
        ValueError: naming the question that lacks a key, or whose values are not as many as their places.
    """
    try:
        questions = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); copy it anew") from None
    tell_size(path, len(questions), published, "questions")
    rows: dict[str, list[dict]] = {}
    for number, question in enumerate(questions, 1):
        missing = [key for key in KEYS if key not in question]
        if missing:
            raise ValueError(f"{path}: question {number} has no {missing[0]}; it has {', '.join(question)}")
        name = f"{path.stem}:{question['question_id']}"
        where = f"{path}: question {question['question_id']}"
        if "Audio" not in listed(question, "type", where)[:1]:
            continue
        if question.get("question_deleted"):
            rejected.append(("question", name, "marked as deleted"))
        elif question["video_id"] in others:
            rejected.append(("question", name, f"its video is one of valid or test: {question['video_id']}"))
        else:
            row = {"task": "mqa", "question": fill(question, where), "answer": question["anser"].strip()}
            rows.setdefault(question["video_id"], []).append(row)
    return rows


def fill(question: dict, where: str) -> str:
    """``Is the <Object> louder than the <Object>?`` with the values of templ_values in place."""
    values = listed(question, "templ_values", where)
    pieces = re.split(r"<[^<>]+>", " ".join(question["question_content"].split()))
    if len(pieces) != len(values) + 1:
        counts = f"has {len(pieces) - 1} places, templ_values {len(values)}"
        raise ValueError(f"{where}: {question['question_content']!r} {counts}; copy the file anew")
    return pieces[0] + "".join(value + piece for value, piece in zip(values, pieces[1:], strict=True))


def listed(question: dict, key: str, where: str) -> list[str]:
    """A list that stands in the file as text: ``"[\\"Audio\\", \\"Counting\\"]"``."""
    try:
        return json.loads(question[key])
    except (ValueError, TypeError):
        mend = 'expected a list written as text, "[\\"Audio\\", \\"Counting\\"]"'
        raise ValueError(f"{where}: {key} is {question[key]!r}; {mend}") from None


def find_files(corpus: Path, videos: set[str]) -> dict[str, dict[str, Path]]:
    """Suffix -> file with the sound or the picture, of each video that has one."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(corpus.rglob("*")):
        if path.stem in videos and path.suffix in (*AUDIO, VIDEO):
            found.setdefault(path.stem, {})[path.suffix] = path
    return found


def hear(
    videos: set[str], found: dict[str, dict[str, Path]], folder: Path, rejected: Rejected
) -> dict[str, tuple[Path, float]]:
    """(audio file, seconds that are heard) of each video that has sound; the others go to ``rejected``."""
    clips = {}
    for video in progress(sorted(videos), len(videos), "sound of the videos"):
        kinds = found.get(video, {})
        sound = next((kinds[suffix] for suffix in AUDIO if suffix in kinds), None)
        try:
            sound = sound or (extract(kinds[VIDEO], folder) if kinds else None)
            if sound:
                clips[video] = sound, min(SECONDS, num_samples(str(sound)) / SAMPLE_RATE)
            else:
                rejected.append(("video", video, "questions without a recording"))
        except AudioError as error:
            rejected.append(("video", video, " ".join(str(error).split())))
    return clips


def extract(video: Path, folder: Path) -> Path:
    """The first 30 s of a video's sound, 16 kHz mono; one that was extracted before is left as it is.

    Raises:
        AudioError: with ffmpeg's words, if the video has no sound that can be read.
    """
    target = folder / f"{video.stem}.flac"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        sound = ["-t", str(SECONDS), "-vn", "-ar", str(SAMPLE_RATE), "-ac", "1", "-f", "flac"]
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(video), *sound, str(part)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            part.unlink(missing_ok=True)
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise AudioError(f"no sound: {video}: {last}")
        part.replace(target)
    return target


def clip(video: str, heard: tuple[Path, float], rows: list[dict]) -> Utterance:
    return Utterance(video, video, str(heard[0]), segment=(video, 0.0, heard[1]), examples=rows)


if __name__ == "__main__":
    run_reader(main, __doc__)
