"""Write a dump folder: the clips or features, and the lists that name them (see DumpWriter)."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from qwen_audio.arkio import ArkWriter
from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.first_seconds import first_seconds
from qwen_audio.data.format_audio import AudioFormat, Formatted
from qwen_audio.data.kaldi_dir import Utterance
from qwen_audio.data.plan import Plan
from qwen_audio.data.within_clip import within_clip

REJECTED = "rejected.tsv"  # lines of: utterance or example, its id, the reason
CUT = "cut.tsv"  # the same of utterances whose first seconds are used
LONGEST_NAME = 250  # bytes; a file system takes 255, the ending included
FILES_PER_FOLDER = 1000  # file systems slow down on folders with many files


class DumpWriter:
    """Writes audio or features, wav.scp or feats.scp, utt2num_samples, utt2spk, examples.jsonl,
    rejected.tsv, cut.tsv and summary.json.

    Args:
        folder: where the files are written now.
        target: what the folder is called in the end; the paths in the scp begin with it.
        form: what is written.
        tasks: name -> TaskSpec, of the examples.

    Attributes:
        writing: path of the file being written, for the message of a full disk.
    """

    def __init__(self, folder: Path, target: Path, form: AudioFormat, tasks: Mapping):
        self.folder, self.target, self.form, self.tasks = folder, target, form, tasks
        self.ark = None
        if form.feats_type == "fbank" or form.audio_format == "wav.ark":
            self.ark = ArkWriter(folder, "feats" if form.feats_type == "fbank" else "wav")
        self.clips = 0
        self.writing = str(folder)

    def write_audio(self, clip: Formatted) -> str:
        """Write the record of a clip; returns its place for the scp."""
        if clip.original or clip.reason:
            return clip.original
        if self.ark:
            self.writing = f"{self.folder}/{self.ark.name}.{max(self.ark.shard, 0)}.ark"
            return str(self.target / self.ark.append(clip.utt, clip.record))
        name = flac_name(self.clips, clip.utt)
        self.clips += 1
        self.writing = str(self.folder / name)
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(clip.record)
        return str(self.target / name)

    def write_tables(self, plan: Plan) -> dict:
        """Write the lists and summary.json from the finished plan; returns the summary.

        Every utterance and example read is used, or stands in rejected.tsv.

        Raises:
            ValueError: if no utterance can be used, with the most frequent reason.
        """
        scp = "feats.scp" if self.form.feats_type == "fbank" else "wav.scp"
        read, used, rejected = (Counter(utterances=0, examples=0) for _ in range(3))
        reasons, first, samples_used, cuts = Counter(), {}, 0, 0
        with ExitStack() as stack:
            names = (scp, "utt2num_samples", "utt2spk", "examples.jsonl", REJECTED, CUT)
            places, lengths, speakers, examples, refusals, shortened = (
                self._open(stack, name) for name in names
            )
            for utt, place, samples, cut in plan.results():
                read.update(utterances=1, examples=len(utt.examples) + len(utt.refused))
                if not utt.reason:
                    self._fit(utt, samples, cut)
                refused = list(utt.refused)
                if utt.reason:
                    refused += [(row["task"], utt.reason) for row in utt.examples]
                    rejected["utterances"] += 1
                    reasons[kind(utt.reason)] += 1
                    first.setdefault(kind(utt.reason), f"{utt.id}: {utt.reason}")
                    self._put(refusals, _line("utterance", utt.id, utt.reason))
                else:
                    used.update(utterances=1, examples=len(utt.examples))
                    samples_used += samples
                    if cut:
                        cuts += 1
                        self._put(shortened, _line("utterance", utt.id, cut))
                    self._put(places, f"{utt.id} {place}\n")
                    self._put(lengths, f"{utt.id} {samples}\n")
                    self._put(speakers, f"{utt.id} {utt.speaker}\n")
                    self._put(examples, *(json.dumps(row, ensure_ascii=False) + "\n" for row in utt.examples))
                rejected["examples"] += len(refused)
                self._put(refusals, *(_line("example", f"{utt.id}:{task}", why) for task, why in refused))
        assert all(used[what] + rejected[what] == read[what] for what in read)
        if not used["utterances"]:
            raise ValueError(f"{self.target}: no utterance can be used; {_most_frequent(reasons, first)}")
        summary = {
            "read": dict(read),
            "used": dict(used),
            "rejected": dict(rejected),
            "cut": cuts,
            "seconds": round(samples_used / SAMPLE_RATE, 3),
            "reasons": dict(reasons.most_common()),
            **vars(self.form),
        }
        self.writing = str(self.folder / "summary.json")
        (self.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        return summary

    def _fit(self, utt: Utterance, samples: int, cut: str) -> None:
        """Keep of the examples what lies in the clip; those that do not fit it are refused.

        An utterance of which none is left cannot be used; its clip is written by then, but no list names it.
        """
        examples, utt.examples = utt.examples, []
        for row in examples:
            task = self.tasks[row["task"]]
            if cut:
                row = first_seconds(row, task, self.form.max_seconds)
            row, fault = within_clip(row, task, samples / SAMPLE_RATE)
            if fault:
                utt.refused.append((row["task"], fault))
            else:
                utt.examples.append(row)
        if not utt.examples:
            utt.reason = fault

    def _open(self, stack: ExitStack, name: str) -> TextIO:
        stream = open(self.folder / name, "w", encoding="utf-8")

        def end(error: type | None, *_) -> None:
            if error is None:  # else another file has failed already and is the one to name
                self.writing = stream.name  # closing writes what is buffered
            stream.close()

        stack.push(end)
        return stream

    def _put(self, stream: TextIO, *lines: str) -> None:
        self.writing = stream.name
        stream.writelines(lines)

    def close(self) -> None:
        if self.ark:
            self.ark.close()


def flac_name(count: int, utt: str) -> str:
    """Path of the ``count``-th clip; an id may hold characters that a file name may not, or be too long for one."""
    name = utt.replace("%", "%25").replace("/", "%2F")
    if len(name.encode()) > LONGEST_NAME:
        digest = hashlib.sha256(utt.encode()).hexdigest()[:16]
        name = f"{name.encode()[: LONGEST_NAME - 18].decode(errors='ignore')}%~{digest}"
    return f"audio/{count // FILES_PER_FOLDER:05d}/{name}.flac"


def kind(reason: str) -> str:
    """``too long: 31.2 s`` -> ``too long``."""
    return reason.split(":", 1)[0]


def _line(what: str, name: str, reason: str) -> str:
    return f"{what}\t{name}\t{' '.join(reason.split())}\n"


def _most_frequent(reasons: Counter, first: dict[str, str]) -> str:
    if not reasons:
        return "the files of the data directory are empty"
    name, count = reasons.most_common(1)[0]
    return f"{count} have {name!r}, the first is {first[name]}"
