"""Stage 1: a Kaldi data directory -> one clip (16 kHz mono) or feature matrix per utterance, and examples."""

import errno
import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from qwen_audio.data.dump import DumpWriter
from qwen_audio.data.format_audio import AudioFormat, Formatted, Recording, format_recording
from qwen_audio.data.kaldi_dir import KaldiDir
from qwen_audio.data.plan import Plan
from qwen_audio.progress import progress

FEATS_TYPES = ("raw", "fbank")
AUDIO_FORMATS = ("flac", "wav.ark")
PLAN = "plan.sqlite"
LICENCE = "licence.txt"  # travels with the corpus


def prepare(
    source: Path | str,
    target: Path | str,
    tasks: dict,
    feats_type: str = "raw",
    audio_format: str = "flac",
    nj: int = 1,
    min_seconds: float = 0.1,
    max_seconds: float = 30.0,
    cut_longer: bool = False,
) -> dict:
    """Write ``target`` from the data directory ``source``; returns what stands in its summary.json.

    Everything is written to a folder beside ``target`` that takes its name when all of it is there. What
    stood under the name from a run before is replaced then.

    Args:
        tasks: name -> TaskSpec, of load_tasks().
        feats_type: raw (audio) or fbank (Whisper's log-mel, compressed to a byte a value).
        audio_format: of raw audio, flac (one file each) or wav.ark (few large files, the fastest to read).
        nj: processes.
        min_seconds, max_seconds: utterances outside are rejected. 30 s is what Whisper was trained on.
        cut_longer: of longer ones the first ``max_seconds`` are kept instead, and of their word times and segments
            what lies within (see first_seconds); cut.tsv lists them. For sets that are scored, whose clips all count.

    Raises:
        ValueError: for a wrong option, a fault of a file (naming file:line), or if no utterance can be used.
        OSError: if the disk is full, naming the file and about how much is missing.
    """
    source, target = Path(source), Path(target)
    form = AudioFormat(feats_type, audio_format, min_seconds, max_seconds, cut_longer)
    _check(source, target, form, nj)
    directory = KaldiDir(source, tasks, seconds=max_seconds if cut_longer else None)
    part = target.parent / f".{target.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    done = total = 0
    dump = DumpWriter(part, target, form, tasks)
    try:
        with closing(Plan(part / PLAN, progress(directory.utterances(), None, f"read {source}"))) as plan:
            total = plan.count()
            with closing(dump):
                for clips in progress(_formatted(plan.recordings(), form, nj), total, f"format {target}"):
                    for clip in clips:
                        plan.finish(clip.utt, dump.write_audio(clip), clip.samples, clip.reason, clip.cut)
                    done += 1
            summary = dump.write_tables(plan)
        os.remove(part / PLAN)
        if (source / LICENCE).is_file():
            shutil.copy(source / LICENCE, part)
        _replace(target, part)
    except BrokenProcessPool:
        mend = "unless it said why above, memory was short: try a smaller --nj"
        raise ValueError(f"--nj {nj}: a process died; {mend}") from None
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "disk is full" not in str(error):
            raise
        file = target / os.path.relpath(dump.writing, part)
        raise OSError(f"disk full while writing {file} {_room(source, part, done, total)}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return summary


def _check(source: Path, target: Path, form: AudioFormat, nj: int) -> None:
    if form.feats_type not in FEATS_TYPES:
        raise ValueError(f"--feats_type is {form.feats_type!r}; write one of {', '.join(FEATS_TYPES)}")
    if form.audio_format not in AUDIO_FORMATS:
        raise ValueError(f"--audio_format is {form.audio_format!r}; write one of {', '.join(AUDIO_FORMATS)}")
    if nj < 1:
        raise ValueError(f"--nj is {nj}; 1 is the least")
    if not 0 <= form.min_seconds <= form.max_seconds:
        limits = f"--min_seconds {form.min_seconds} --max_seconds {form.max_seconds}"
        raise ValueError(f"{limits} keep no utterance; the first is to be smaller")
    if not source.is_dir():
        raise ValueError(f"{source} is no directory; name a Kaldi data directory")
    if target.resolve() == source.resolve():
        raise ValueError(f"{target} would be written over itself; name another folder")
    if target.exists() and not (target / "summary.json").is_file():
        mend = "name another folder or remove it"
        raise ValueError(f"{target} exists and was not written by this command; {mend}")


def _formatted(recordings: Iterable[Recording], form: AudioFormat, nj: int) -> Iterator[list[Formatted]]:
    """format_recording over all, in order; at most two recordings per process are under way or waiting."""
    if nj == 1:
        yield from (format_recording(recording, form) for recording in recordings)
        return
    context = get_context("forkserver")  # plain fork can hang where the parent has run threads
    context.set_forkserver_preload(["qwen_audio.data.format_audio"])
    with ProcessPoolExecutor(nj, mp_context=context, initializer=_one_thread) as pool:
        recordings = iter(recordings)
        waiting = deque(pool.submit(format_recording, item, form) for item in islice(recordings, 2 * nj))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(format_recording, item, form) for item in islice(recordings, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Torch reads this when imported; its threads would fight with the other processes for the cores."""
    os.environ["OMP_NUM_THREADS"] = "1"


def report(summary: dict) -> str:
    """The counts in one line: ``read 10 utterances, 12 examples; used 9, 11; ...; cut to 30 s 2``."""
    read, used, rejected = (summary[key] for key in ("read", "used", "rejected"))
    line = f"read {read['utterances']} utterances, {read['examples']} examples; "
    line += f"used {used['utterances']}, {used['examples']} ({summary['seconds'] / 3600:.2f} h); "
    line += f"rejected {rejected['utterances']}, {rejected['examples']}"
    line += "".join(f"; {kind} {number}" for kind, number in summary["reasons"].items())
    return line + (f"; cut to {summary['max_seconds']:g} s {summary['cut']}" if summary["cut"] else "")


def _replace(target: Path, part: Path) -> None:
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _room(source: Path, part: Path, done: int, total: int) -> str:
    """How far it came on a full disk, and what is missing, by the recordings done or the lists' size."""
    written, lists = _size(part), _size(part / PLAN) if total else _size(source)
    missing = written * (total - done) / done if 0 < done < total else lists
    how_far = f"after {written / 1e6:.2f} MB, {done} of {total} recordings"
    return f"{how_far}; about {missing / 1e6:.2f} MB more is needed: free it, or write to another disk"


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
