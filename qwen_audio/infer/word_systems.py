"""What times the words of a set, for comparison: heads of a model, a pretrained Whisper, pocketsphinx."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qwen_audio.audio import read_audio
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.registry import SLOTS, nearest
from qwen_audio.timestamp.head import Aligner, Hearing, TimestampHead
from qwen_audio.words import HeardWord

DECODED, GIVEN = "decoded", "given"  # the words: the system's own, or the reference's
ATTENTION, WHISPER, POCKETSPHINX = "attention", "whisper:", "pocketsphinx"
TASK = "srwt"  # whose words the attention heads are picked on
PICKED = 6  # attention heads at most
WHISPER_CLIPS = 8  # heard at once: however short, each takes the memory of 30 s


@dataclass(frozen=True)
class Clip:
    """A clip with known words.

    Attributes:
        audio: what read_audio takes.
        samples: its length at 16 kHz.
        text: the words in their order.
        said: what the model made of it, where that is known.
    """

    utt: str
    task: str
    audio: str
    samples: int
    language: str
    text: str
    said: str | None = None


class Batch:
    """Clips that are timed together; their audio is read once for all systems that take it whole."""

    def __init__(self, clips: list[Clip]):
        self.clips = clips

    def parts(self, count: int | None) -> list["Batch"]:
        """Batches of at most ``count`` of the clips; without it this one."""
        if count is None or count >= len(self.clips):
            return [self]
        return [Batch(self.clips[begin : begin + count]) for begin in range(0, len(self.clips), count)]

    @functools.cached_property
    def audios(self) -> list[np.ndarray]:
        return [read_audio(clip.audio) for clip in self.clips]

    @property
    def texts(self) -> list[str]:
        return [clip.text for clip in self.clips]

    @property
    def languages(self) -> list[str]:
        return [clip.language for clip in self.clips]


@dataclass(frozen=True)
class System:
    """What times words.

    Attributes:
        time: a batch -> the words of each clip, by where they come from: ``decoded``, ``given`` or both.
        at_once: clips at most that it takes together, and refuses together; None for any number.
    """

    name: str
    time: Callable[[Batch], dict[str, list[list[HeardWord]]]]
    at_once: int | None = None


@dataclass
class Ear:
    """A model hears a batch once, and transcribes it once, for all its heads.

    Attributes:
        batch, clips: what was heard last.
        said: its transcripts, by the task that asked.
    """

    loaded: LoadedModel
    batch: Batch | None = None
    clips: Clips | None = None
    said: dict[str, list[str]] = field(default_factory=dict)

    def hear(self, batch: Batch, head: Hearing) -> Clips:
        if batch is not self.batch:
            clips = head.hear(self.loaded, batch.audios, batch.languages)
            self.batch, self.clips, self.said = batch, clips, {}
        return self.clips

    def texts(self, batch: Batch, head: Aligner) -> list[str]:
        """Its own transcripts: those that the clips bring along, the others written now."""
        clips = self.hear(batch, head)
        if head.task not in self.said:
            texts = [clip.said for clip in batch.clips]
            new = [place for place, text in enumerate(texts) if text is None]
            written = head.transcribe(clips, new, [batch.languages[place] for place in new]) if new else []
            for place, text in zip(new, written, strict=True):
                texts[place] = text
            self.said[head.task] = texts
        return self.said[head.task]


def head_systems(
    names: list[str],
    load: Callable[[], LoadedModel] | None,
    pick_on: Path | None = None,
    search: InferenceConfig | None = None,
    **place,
) -> list[System]:
    """The systems of these names, in their order; those that the model cannot give are told and left out.

    Args:
        names: timestamp heads of the model; ``whisper:MODEL``, a pretrained Whisper with its own head; or
            ``pocketsphinx``, which aligns given English text.
        load: gives the model of the timestamp heads; None where there is none.
        pick_on: prepared set with known word times on which the model's attention heads are chosen.
        search: how the model's own words are decoded; Whisper searches greedily.
        place: ``device`` and ``dtype`` of Whisper.

    Raises:
        ValueError: for a name that is none of these, or a head without a model.
    """
    ear, systems = None, []
    for name in names:
        if name == POCKETSPHINX:
            systems.append(_pocketsphinx())
        elif name.startswith(WHISPER):
            from qwen_audio.infer.pretrained import load_whisper

            model = name.removeprefix(WHISPER)
            whisper = load_whisper(model, **place)
            systems.append(_whisper(Path(model).name, whisper))
        elif load is None:
            raise ValueError(
                f"head {name!r} needs a trained --model; without one: {WHISPER}MODEL, {POCKETSPHINX}"
            )
        else:
            ear = ear or Ear(load())
            _known(name)
            try:
                options = _picked(ear.loaded, pick_on) if name == ATTENTION and pick_on else {}
                systems.append(_of_model(name, ear, ear.loaded.timestamp_head(name, search, **options)))
            except ValueError as error:
                print(f"{name}: left out: {error}", flush=True)
    return systems


def _picked(loaded: LoadedModel, aligned: Path) -> dict:
    from qwen_audio.timestamp.attention import Attention
    from qwen_audio.timestamp.pick_heads import aas, pick, read_clips

    clips = read_clips(loaded, aligned, TASK, Attention())
    chosen = [head for head, _ in pick(clips, PICKED)[1]]
    heads = [list(divmod(head, loaded.model.decoder.num_heads)) for head in chosen]
    score, shift = aas(clips, chosen)
    print(
        f"{ATTENTION}: heads {heads}, shift {shift} s: the best on {len(clips)} clips of {aligned},"
        f" AAS {score:.0f} ms",
        flush=True,
    )
    return {"heads": heads, "shift": shift}


def _known(name: str) -> None:
    if ":" not in name and name not in SLOTS["timestamp_head"]:
        raise ValueError(
            f"head {name!r}{nearest(name, [*SLOTS['timestamp_head'], WHISPER + 'MODEL', POCKETSPHINX])}"
        )


def _of_model(name: str, ear: Ear, head: TimestampHead) -> System:
    def time(batch: Batch) -> dict[str, list[list[HeardWord]]]:
        if isinstance(head, Aligner):
            own, clips = ear.texts(batch, head), ear.hear(batch, head)
            told = zip((DECODED, GIVEN), (own, batch.texts))
            return {kind: head.times(clips, texts, batch.languages) for kind, texts in told}
        if isinstance(head, Hearing):
            return {DECODED: head.words_in(ear.hear(batch, head), batch.languages)}
        return {DECODED: head.words_of(ear.loaded, batch.audios, batch.languages)}

    return System(name, time)


def _whisper(name: str, whisper: LoadedModel) -> System:
    """Its own words, not those that the clips bring along from the model."""
    head = whisper.timestamp_head()

    def time(batch: Batch) -> dict[str, list[list[HeardWord]]]:
        clips = head.hear(whisper, batch.audios, batch.languages)
        own = head.transcribe(clips, list(range(len(batch.clips))), batch.languages)
        told = zip((DECODED, GIVEN), (own, batch.texts))
        return {kind: head.times(clips, texts, batch.languages) for kind, texts in told}

    return System(name, time, at_once=WHISPER_CLIPS)


def _pocketsphinx() -> System:
    from qwen_audio.align.pocketsphinx import Pocketsphinx

    aligner = Pocketsphinx()

    def time(batch: Batch) -> dict[str, list[list[HeardWord]]]:
        told = zip(batch.audios, batch.texts, batch.languages, strict=True)
        found = [aligner.align(*clip) for clip in told]
        return {GIVEN: [[HeardWord(word, start, end, 1.0) for start, end, word in words] for words in found]}

    return System(POCKETSPHINX, time, at_once=1)
