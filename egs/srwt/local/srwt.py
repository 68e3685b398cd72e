#!/usr/bin/env python3
"""Word times of any aligned corpus, one folder a set: train, valid or dev, and test sets, test or test_NAME.

    local/data.sh --corpus aligned

Each folder is a Kaldi data directory (wav.scp; segments, utt2spk, utt2lang where there are any), or a tree
SPEAKER/.../NAME.wav (or .flac). The words and their times stand beside that, in one of three forms:
  ctm              Kaldi's, by utterance, or by recording where there are segments
  NAME.TextGrid    of the Montreal Forced Aligner: beside NAME.wav, or called after a Kaldi utterance
  timestamp        FunASR's, or AISHELL's in that form: lines `UTT token start_s end_s;...`, or JSON;
                   UTT is the utterance, or NAME of NAME.wav
The language is that of utt2lang, else English. Words in capitals throughout, as LibriSpeech's, are written in
small letters, which an LLM knows better; WER ignores case. The paper's own test data are closed; AAS is of what
is given.
Writes data/srwt_train, srwt_valid and a set for each test folder, with transcript and a srwt row.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from corpus_reader import names_in, run_reader, tell_test_alone

from qwen_audio.data.corpus_dir import Rejected, Utterance, write_corpus
from qwen_audio.data.kaldi_dir import fields, read_table
from qwen_audio.data.word_files import (
    UNKNOWN,
    chinese_word,
    read_ctm,
    read_funasr,
    read_textgrid,
    unknown_word,
    within,
)
from qwen_audio.tags import UNSPACED
from qwen_audio.words import Word

FORMS = ("ctm", "timestamp", "*.TextGrid")
AUDIO = (".wav", ".flac")
LICENCE = "The licence of the aligned corpus that was given.\n"


def main(args: argparse.Namespace) -> None:
    folders = sorted(path for path in args.corpus.glob("*") if path.is_dir())
    named = {"train": [], "valid": [], "test": []}
    for folder in folders:
        kind = next((kind for kind in named if folder.name.startswith(kind)), None)
        kind = "valid" if folder.name.startswith("dev") else kind
        if kind:
            named[kind].append(folder)
    learnt = ["train", "valid"] if named["train"] and not args.test_only else []
    if not named["test"] or any(len(named[kind]) != 1 for kind in learnt):
        raise ValueError(f"{args.corpus}: needs one folder train, one valid or dev, and test folders, or"
                         f" test folders alone; found {names_in(args.corpus)}")  # fmt: skip
    if not named["train"] and not args.test_only:
        tell_test_alone(args.corpus, ["train"])
    rejected: Rejected = []
    sets = {kind: read_set(named[kind][0], rejected) for kind in learnt}
    sets |= {folder.name.replace("-", "_"): read_set(folder, rejected) for folder in named["test"]}
    write_corpus(args.data, "srwt", sets, LICENCE, rejected)


def read_set(folder: Path, rejected: Rejected) -> list[Utterance]:
    """The utterances of a folder that have a recording and words; the others go to ``rejected``."""
    kaldi = (folder / "wav.scp").is_file()
    utterances = list(_kaldi(folder) if kaldi else _tree(folder))
    times = _word_times(folder, kaldi)
    if all(word == word.upper() or word in UNKNOWN for words in times.values() for _, _, word in words):
        times = {key: [(*at, word.lower()) for *at, word in words] for key, words in times.items()}
    languages = _column(folder, "utt2lang")
    rows, used = [], {u.segment[0] for u in utterances if u.segment}
    for u in utterances:
        key = u.utt if kaldi else _key(u, folder, times)
        words = times.get(key)
        if words is None and u.segment:
            words = within(times.get(u.segment[0], []), *u.segment[1:])
        if not kaldi and key in used:
            mend = "call them by different names, or put a NAME.TextGrid beside each"
            raise ValueError(f"{folder}: two recordings are called {key}, as words are; {mend}")
        used.add(key)
        reason = _fault(words)
        if reason:
            rejected.append(("utterance", f"{folder.name}/{u.utt}", reason))
        else:
            rows.append(_labelled(u, words, languages.get(u.utt, "en"), folder))
    unused = sorted(times.keys() - used)
    rejected += [("words", f"{folder.name}/{name}", "words without a recording") for name in unused]
    return rows


def _key(u: Utterance, folder: Path, times: Mapping[str, list[Word]]) -> str:
    """What a tree's utterance is called in the file of words: its path, its id, or else its file name."""
    path = Path(u.audio).relative_to(folder).with_suffix("")
    return next((key for key in (path.as_posix(), u.utt, path.name) if key in times), path.as_posix())


def _labelled(u: Utterance, words: list[Word], lang: str, folder: Path) -> Utterance:
    spoken = [word for _, _, word in words]
    chinese = chinese_word(words)
    if chinese and lang not in UNSPACED:
        mend = f"write a line `{u.utt} zh` for it in utt2lang"
        raise ValueError(f"{folder}: {u.utt} has the word {chinese} and the language {lang}; {mend}")
    u.text, u.lang = ("" if lang in UNSPACED else " ").join(spoken), lang
    timed = [list(word) for word in words]
    u.examples = [{"task": "srwt", "audio_lang": lang, "text_lang": lang, "words": timed}]
    return u


def _word_times(folder: Path, kaldi: bool) -> dict[str, list[Word]]:
    """Words by utterance or recording; those of a tree's TextGrids by path without suffix.

    Raises:
        ValueError: if there is none of the forms, or more than one.
    """
    found = {form: sorted(folder.rglob(form) if "*" in form else folder.glob(form)) for form in FORMS}
    there = [form for form in FORMS if found[form]]
    if len(there) != 1:
        said = ", ".join(there) if there else names_in(folder)
        raise ValueError(f"{folder}: needs words in one of {', '.join(FORMS)}; found {said}")
    if there == ["ctm"]:
        return read_ctm(folder / "ctm")
    if there == ["timestamp"]:
        return read_funasr(folder / "timestamp")
    times = {}
    for path in found["*.TextGrid"]:
        name = path.stem if kaldi else path.relative_to(folder).with_suffix("").as_posix()
        if name in times:
            raise ValueError(f"{path}: another {name}.TextGrid is in {folder}; keep one of them")
        times[name] = read_textgrid(path)
    return times


def _kaldi(folder: Path) -> Iterator[Utterance]:
    recordings, speakers = _column(folder, "wav.scp"), _column(folder, "utt2spk")
    segments = _column(folder, "segments") or {name: None for name in recordings}
    for utt, cut in segments.items():
        segment, recording = None, utt
        if cut:
            try:
                recording, start, end = fields(cut)
                segment = recording, float(start), float(end)
            except ValueError:
                line = f"{utt} {cut}; write `utt recording start_s end_s`"
                raise ValueError(f"{folder}/segments: {line}") from None
        if recording not in recordings:
            raise ValueError(f"{folder}/wav.scp: has no {recording}, which segments names; add it")
        yield Utterance(utt, speakers.get(utt, utt), recordings[recording], segment=segment)


def _tree(folder: Path) -> Iterator[Utterance]:
    """SPEAKER/.../NAME.wav is utterance SPEAKER-NAME, or NAME where that begins with the speaker."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in AUDIO):
        speaker, name = (re.sub(r"\s+", "-", part) for part in (path.relative_to(folder).parts[0], path.stem))
        if path.parent == folder:
            speaker = name
        yield Utterance(name if name.startswith(speaker) else f"{speaker}-{name}", speaker, str(path))


def _column(folder: Path, name: str) -> dict[str, str]:
    path = folder / name
    return {key: value for key, (_, value) in read_table(path)} if path.is_file() else {}


def _fault(words: list[Word] | None) -> str:
    if not words:
        return "recording without words"
    unknown = unknown_word(words)
    return f"a word that the aligner did not know: {unknown}" if unknown else ""


if __name__ == "__main__":
    run_reader(main, __doc__)
