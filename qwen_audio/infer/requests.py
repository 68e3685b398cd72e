"""What there is to decode in a tokenised set: one request per utterance, task and language."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from qwen_audio.data.token_set import TokenSet
from qwen_audio.score.join import group_key
from qwen_audio.task_spec import TaskSpec

LANGUAGES = ("audio_lang", "text_lang")


def task_of(stream: str) -> str:
    """The task of a training stream: ``asr/en`` -> ``asr`` (TaskSpec.stream writes them)."""
    return stream.partition("/")[0]


@dataclass(frozen=True)
class Request:
    """One prompt about one clip.

    Attributes:
        row: row number in the set.
        samples: length of the clip at 16 kHz.
    """

    utt: str
    task: str
    audio_lang: str | None
    text_lang: str | None
    row: int
    samples: int

    @property
    def key(self) -> tuple:
        return self.utt, self.task, self.audio_lang or "", self.text_lang or ""


def read_requests(data: TokenSet, tasks: list[str], specs: dict[str, TaskSpec]) -> list[Request]:
    """Requests of ``tasks``; further examples of the same request are further references of it.

    Raises:
        ValueError: if a row of these tasks has no audio.
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
                utt = data.utt_id(row)
                request = Request(utt, task, *map(example.get, LANGUAGES), row, int(fields["samples"]))
                found.setdefault((utt, group_key(specs[task], example)), request)
    return list(found.values())


def batches(requests: list[Request], max_examples: int, max_seconds: float, rate: int) -> list[list[Request]]:
    """Requests of clips of similar length, longest first; all requests of a clip stand in one batch.

    Args:
        max_examples: clips in a batch.
        max_seconds: of a batch, each clip counted as long as the longest; one clip alone may be longer.
        rate: samples per second.
    """
    by_clip: dict[str, list[Request]] = {}
    for request in requests:
        by_clip.setdefault(request.utt, []).append(request)
    result, clips, longest = [], 0, 0
    for asked in sorted(by_clip.values(), key=lambda asked: (-asked[0].samples, asked[0].utt)):
        if not result or clips == max_examples or longest * (clips + 1) > max_seconds * rate:
            result.append([])
            clips, longest = 0, asked[0].samples
        result[-1] += asked
        clips += 1
    return result


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
