"""Align a data directory or a prepared set: rows of word times in its examples.jsonl."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from qwen_audio.align.aligner import Answer, WordAligner
from qwen_audio.align.transcripts import ALIGNER, Transcript, read_transcripts
from qwen_audio.data.corpus_dir import write_rejected
from qwen_audio.data.json_rows import write_rows
from qwen_audio.data.kaldi_dir import join, read_examples
from qwen_audio.progress import progress
from qwen_audio.task_spec import TaskSpec, load_tasks

EXAMPLES, REJECTED = "examples.jsonl", "align_rejected.tsv"


def align_data(data: Path, name: str, aligner: WordAligner, language: str | None = None) -> dict[str, int]:
    """Write a srwt row for each transcript; the other rows of examples.jsonl stay.

    A row that an earlier run wrote goes where there is a new one, or where the same aligner finds none any
    more. What has no words stands with its reason in ``align_rejected.tsv``, as do given words not used.

    Args:
        name: of the aligner, for the rows.
        language: see read_transcripts.

    Returns:
        transcripts ``read``, ``aligned`` and ``rejected``.

    Raises:
        ValueError: if nothing could be aligned (examples.jsonl stays as it was), or as read_transcripts.
    """
    data, tasks = Path(data), load_tasks()
    read, rejected = 0, []
    for transcript in read_transcripts(data, tasks, language):  # a broken line ends it here, not in an hour
        read += 1
        if _reason(transcript):
            rejected.append((transcript, _reason(transcript)))
    fresh = data / f".{EXAMPLES}.aligned"
    usable = (t for t in read_transcripts(data, tasks, language) if not _reason(t))
    answers = progress(aligner.align_all(usable), read - len(rejected), f"align {data}")
    try:
        write_rows(fresh, _rows(answers, name, tasks["srwt"], rejected))
        listed = [("utterance", transcript.utt, reason) for transcript, reason in rejected]
        listed += [("words", word, "words that no transcript asked for") for word in aligner.unused()]
        write_rejected(data / REJECTED, listed)
        if len(rejected) == read:
            spoken = f" in {language}" if language else ""
            raise ValueError(
                f"{data}: nothing was aligned of {read} transcripts{spoken}; {data / REJECTED} says why"
            )
        failed = {(transcript.utt, transcript.language) for transcript, _ in rejected}
        write_rows(data / EXAMPLES, _merged(data / EXAMPLES, fresh, name, failed, tasks))
    finally:
        fresh.unlink(missing_ok=True)
    return {"read": read, "aligned": read - len(rejected), "rejected": len(rejected)}


def _reason(transcript: Transcript) -> str:
    return transcript.reason or ("word times are there already, from elsewhere" if transcript.timed else "")


def _rows(
    answers: Iterator[Answer], name: str, srwt: TaskSpec, rejected: list[tuple[Transcript, str]]
) -> Iterator[dict]:
    """An example of each answer that has words; the others are added to ``rejected``."""
    for transcript, words, reason in answers:
        row = {
            "utt": transcript.utt,
            "task": srwt.name,
            "audio_lang": transcript.language,
            "text_lang": transcript.language,
            "words": [list(word) for word in words],
            "label_origin": "constructed",
            ALIGNER: name,
        }
        if not reason:
            try:
                srwt.check(row)
            except ValueError as error:
                reason = f"unusable words: {error}"
        if reason:
            rejected.append((transcript, " ".join(reason.split())))
        else:
            yield row


def _merged(
    old: Path, fresh: Path, name: str, failed: set[tuple[str, str]], tasks: Mapping[str, TaskSpec]
) -> Iterator[dict]:
    """The rows of both files by utterance, the new ones after the old ones that stay."""
    paths = [path for path in (old, fresh) if path.is_file()]
    for utt, found in join({path: read_examples(path, tasks) for path in paths}):
        new = [row for _, row in found.get(fresh, ())]
        timed = {row["audio_lang"] for row in new}
        for _, row in found.get(old, ()):
            lost = row.get(ALIGNER) == name and (utt, row.get("audio_lang")) in failed
            if ALIGNER not in row or not (lost or row["audio_lang"] in timed):
                yield row
        yield from new
