"""Which attention heads tell best where words are: each alone on aligned clips, then the best together."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from qwen_audio.audio import read_audio
from qwen_audio.data.prepared import PreparedSet, at_even_distance
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.task_spec import WORDS, load_tasks
from qwen_audio.timestamp.attention import Attended, Attention, words_on
from qwen_audio.timestamp.path import best_path
from qwen_audio.words import SIL

Head = tuple[int, int]  # layer, head
BATCH = 8  # clips
TRIED = 4  # heads tried for each that may be chosen
CLIPS = 100  # heard at most: each keeps the attention of all heads, up to 25 MB for a decoder of 7 B weights


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip that the decoder has attended to, with all heads, and the true times.

    Attributes:
        spans: (words, 2) start and end in seconds.
    """

    attended: Attended
    spans: np.ndarray


def read_clips(
    loaded: LoadedModel, folder: Path, task: str, head: Attention, count: int = CLIPS
) -> list[Clip]:
    """Examples of ``task`` in the prepared set ``folder``, their own words read by the decoder.

    Args:
        head: its prompt is used, not its heads.
        count: examples at most, at even distance.

    Raises:
        ValueError: if the set is no set of audio, the task has no word times, or the set none of its examples.
    """
    spec = load_tasks().get(task)
    if spec is None or spec.target != WORDS:
        timed = [name for name, each in load_tasks().items() if each.target == WORDS]
        raise ValueError(f"--task {task} has no word times; name one of {', '.join(timed)}")
    prepared = PreparedSet(folder)
    audio, rows = prepared.audio, list(prepared.rows({task}))
    if not rows:
        raise ValueError(f"{prepared.examples} has no example of {task}")
    return list(_attend(loaded, at_even_distance(rows, count), audio, spec, head))


def _attend(loaded, rows, audio, spec, head) -> Iterator[Clip]:
    decoder = loaded.model.decoder
    layers = range(len(decoder.audio_attention()))
    every = [(layer, number) for layer in layers for number in range(decoder.num_heads)]
    for begin in range(0, len(rows), BATCH):
        batch = [
            {**row, WORDS: [word for word in row[WORDS] if word[2] != SIL]}
            for row in rows[begin : begin + BATCH]
        ]
        waves = [torch.from_numpy(read_audio(audio[row["utt"]])) for row in batch]
        languages = [row["audio_lang"] for row in batch]
        clips = Clips(loaded, waves, [len(wave) for wave in waves], head.prompts(loaded, languages))
        texts = [spec.transcript(row) for row in batch]
        for row, attended in zip(batch, head.listen(clips, list(range(len(batch))), texts, languages, every)):
            spans = np.array([word[:2] for word in row[WORDS]])
            yield Clip(dataclasses.replace(attended, words=[word[2] for word in row[WORDS]]), spans)


def aas(clips: list[Clip], heads: list[int]) -> tuple[float, float]:
    """Accumulated average shift of all words of all clips, with the best constant shift of the heads' times.

    Args:
        heads: by their number in ``weights``.

    Returns:
        milliseconds; that shift in seconds, the median of true minus found times.
    """
    paths = [best_path(clip.attended.weights[heads].mean(0)) for clip in clips]
    late = np.concatenate(
        [(clip.spans - _spans(clip, path)).flatten()[1:] for clip, path in zip(clips, paths)]
    )
    shift = round(float(np.median(late)), 2)
    off = [np.abs(clip.spans - _spans(clip, path, shift)).sum() for clip, path in zip(clips, paths)]
    return 1000 * sum(off) / sum(len(clip.spans) for clip in clips), shift


def _spans(clip: Clip, path: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return np.array([(word.start, word.end) for word in words_on(clip.attended, path, shift)])


def pick(clips: list[Clip], count: int) -> tuple[list[float], list[tuple[int, float]]]:
    """Score every head alone, then join to the best one the head that helps most, while one does.

    Args:
        count: heads to choose at most.

    Returns:
        AAS of every head alone; the chosen heads, each with the AAS of it and those before it together.
    """
    alone = [aas(clips, [head])[0] for head in range(len(clips[0].attended.weights))]
    order = np.argsort(alone, kind="stable").tolist()
    chosen = [(order[0], alone[order[0]])]
    while len(chosen) < count:
        taken = [head for head, _ in chosen]
        rest = [head for head in order[: TRIED * count] if head not in taken]
        tried = [(aas(clips, [*taken, head])[0], head) for head in rest]
        if not tried or min(tried)[0] >= chosen[-1][1]:
            break
        score, head = min(tried)
        chosen.append((head, score))
    return alone, chosen
