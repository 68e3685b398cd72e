"""Word times of a set by several heads and reference systems, each also given the text, for comparison."""

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.json_rows import write_rows
from qwen_audio.data.packing import padded_batches
from qwen_audio.data.prepared import PreparedSet
from qwen_audio.infer.word_systems import Batch, Clip, System
from qwen_audio.progress import progress
from qwen_audio.tags import UNSPACED
from qwen_audio.task_spec import WORDS, load_tasks
from qwen_audio.words import SIL, HeardWord

HYP, REFUSED = "hyp.jsonl", "refused.tsv"
BATCH_SECONDS = 120.0  # of clips heard at once


def time_words(clips: list[Clip], output: Path, systems: list[System]) -> dict[str, int]:
    """Write OUTPUT/NAME/hyp.jsonl of every system: a row per clip and text, ``decoded`` or ``given``.

    A row holds the words with times in thousandths of a second, as parse_words reads them. What a system
    refuses stands with its reason in OUTPUT/refused.tsv. What OUTPUT held before is replaced.

    Returns:
        name -> clips timed; a system that timed none has no folder.
    """
    fresh = Path(output).with_name(f".{Path(output).name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    rows: dict[str, list[dict]] = {system.name: [] for system in systems}
    refused, batches = [], list(make_batches(clips))
    for batch in progress(batches, len(batches), f"words of {Path(output).parent.name}"):
        for system in systems:
            for part in batch.parts(system.at_once):
                try:
                    found = system.time(part)
                except ValueError as error:
                    refused += [(system.name, clip.utt, str(error)) for clip in part.clips]
                    continue
                for text, answers in found.items():
                    rows[system.name] += [
                        _row(clip, text, words) for clip, words in zip(part.clips, answers, strict=True)
                    ]
    for name, found in rows.items():
        if found:
            (fresh / name).mkdir()
            write_rows(fresh / name / HYP, sorted(found, key=_order))
    lines = ["\t".join(row) + "\n" for row in sorted(refused)]
    (fresh / REFUSED).write_text("".join(lines), encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    fresh.rename(output)
    return {name: len({(row["utt"], row["text_lang"]) for row in found}) for name, found in rows.items()}


def read_clips(dump: Path, said: dict[tuple[str, str], str] | None = None) -> list[Clip]:
    """The clips of a prepared set whose words have times, one for each language of them; perhaps none.

    Args:
        said: what the model made of clips, by utterance and language (own_words).

    Raises:
        ValueError: if there are some, but features in place of audio.
    """
    tasks = {name for name, spec in load_tasks().items() if spec.target == WORDS}
    prepared = PreparedSet(dump)
    clips = {}
    for row in prepared.rows(tasks):
        utt, language = row["utt"], row["audio_lang"]
        text = joined((word for _, _, word in row[WORDS] if word != SIL), language)
        own = (said or {}).get((utt, language))
        clip = Clip(utt, row["task"], prepared.audio[utt], prepared.samples[utt], language, text, own)
        clips.setdefault((utt, language), clip)
    return list(clips.values())


def joined(words: Iterable[str], language: str) -> str:
    """Words as the text of a language."""
    return ("" if language in UNSPACED else " ").join(words)


def make_batches(clips: list[Clip]) -> Iterable[Batch]:
    """Clips of one language and about one length, BATCH_SECONDS at most together."""
    order = sorted(clips, key=lambda clip: (clip.language, clip.samples, clip.utt))
    for _, same in itertools.groupby(order, lambda clip: clip.language):
        yield from map(Batch, padded_batches(same, lambda clip: clip.samples, BATCH_SECONDS * SAMPLE_RATE))


def _row(clip: Clip, text: str, words: list[HeardWord]) -> dict:
    hyp = "".join(f"<|{start:.3f}|>{word}<|{end:.3f}|>" for word, start, end, _ in words)
    about = {"audio_lang": clip.language, "text_lang": clip.language, "text": text}
    return {"utt": clip.utt, "task": clip.task, **about, "hyp": hyp}


def _order(row: dict) -> tuple:
    return row["text"], row["utt"], row["text_lang"]
