"""What there is to decode in a tokenised set: one request per utterance, task and prompt."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from qwen_audio.data.packing import padded_batches
from qwen_audio.data.token_set import TokenSet
from qwen_audio.task_fields import LANGUAGE
from qwen_audio.task_folders import find_task
from qwen_audio.task_spec import TaskSpec, task_of


@dataclass(frozen=True)
class Request:
    """One prompt about one clip.

    Attributes:
        asked: the example's languages (None where it names none) and what else fills its prompt, such as a question.
        prompt: the tags and text after the audio.
        row: row number in the set.
        samples: length of the clip at 16 kHz.
    """

    utt: str
    task: str
    asked: dict[str, str | None]
    prompt: str
    row: int
    samples: int

    @property
    def key(self) -> tuple:
        return self.utt, self.task, self.prompt

    @property
    def spoken(self) -> tuple:
        """Task and languages: what tells transcripts of a clip apart."""
        return self.task, self.asked["audio_lang"], self.asked["text_lang"]


def read_requests(data: TokenSet, tasks: list[str], specs: dict[str, TaskSpec]) -> list[Request]:
    """Requests of ``tasks``; further examples of the same request are further references of it.

    Raises:
        ValueError: if a row of these tasks has no audio, or a task no file here.
    """
    found: dict[tuple, Request] = {}
    with open(_examples(data), "rb") as examples:
        for stream in data.tasks:
            task = task_of(stream)
            for row in data.rows_of(stream).tolist() if task in tasks else ():
                fields = data.rows[row]
                if fields["utt"] < 0:
                    raise ValueError(f"{data.folder}: {data.utt_id(row)} ({task}) has no audio to decode")
                examples.seek(int(fields["line"]))
                example = json.loads(examples.readline())
                spec = find_task(task, specs, _examples(data))
                asked = {
                    name: example.get(name) for name in dict.fromkeys([*LANGUAGE.names, *spec.prompt_fields])
                }
                prompt, samples = spec.prompt_text(example), int(fields["samples"])
                request = Request(data.utt_id(row), task, asked, prompt, row, samples)
                found.setdefault(request.key, request)
    return list(found.values())


def batches(
    requests: list[Request], encoded: Callable[[int], int], max_examples: int, max_seconds: float, rate: int
) -> list[list[Request]]:
    """Requests of clips of similar length, longest first; all requests of a clip stand in one batch.

    Args:
        encoded: samples of a clip -> samples that are encoded for it.
        max_examples: clips in a batch.
        max_seconds: of a batch, each clip counted as long as the longest; one clip alone may be longer.
        rate: samples per second.
    """
    by_clip: dict[str, list[Request]] = {}
    for request in requests:
        by_clip.setdefault(request.utt, []).append(request)
    order = sorted(by_clip.values(), key=lambda asked: (-asked[0].samples, asked[0].utt))
    clips = padded_batches(order, lambda asked: encoded(asked[0].samples), max_seconds * rate, max_examples)
    return [list(chain.from_iterable(batch)) for batch in clips]


def count_by_task(requests: list[Request]) -> str:
    """``asr 12, lid 12``"""
    return ", ".join(
        f"{task} {count}" for task, count in Counter(request.task for request in requests).items()
    )


def _examples(data: TokenSet) -> Path:
    path = Path(data.meta["examples"])
    if not path.is_file():
        raise ValueError(
            f"{path}, which {data.folder} was made from, is missing; decode in the recipe's folder"
        )
    return path
