"""Word times of a set by several heads and reference systems, each also given the text, for comparison."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qwen_audio.audio import SAMPLE_RATE, read_audio
from qwen_audio.infer.load import LoadedModel
from qwen_audio.progress import progress
from qwen_audio.registry import SLOTS, nearest
from qwen_audio.score.files import read_num_samples, read_rows, read_text
from qwen_audio.tags import UNSPACED
from qwen_audio.task_spec import WORDS, load_tasks
from qwen_audio.timestamp.head import Aligner, TimestampHead, Word
from qwen_audio.words import SIL

DECODED, GIVEN = "decoded", "given"  # the words: the system's own, or the reference's
HYP, REFUSED = "hyp.jsonl", "refused.tsv"
ATTENTION, WHISPER, POCKETSPHINX = "attention", "whisper:", "pocketsphinx"
TASK = "srwt"  # whose words the attention heads are picked on
PICKED = 6  # attention heads at most
BATCH_SECONDS = 120.0  # of clips heard at once


@dataclass(frozen=True)
class Clip:
    """A clip with known words; ``audio`` is what read_audio takes, ``text`` the words in their order."""

    utt: str
    task: str
    audio: str
    samples: int
    language: str
    text: str


@dataclass(frozen=True)
class System:
    """What times words.

    Attributes:
        time: clips, their texts and languages -> the words of each, by where they come from: ``decoded``,
            ``given`` or both.
        alone: takes one clip at a time, so that it refuses one at a time.
    """

    name: str
    time: Callable[[list[np.ndarray], list[str], list[str]], dict[str, list[list[Word]]]]
    alone: bool = False


def time_words(clips: list[Clip], output: Path, systems: Iterable[System]) -> dict[str, int]:
    """Write OUTPUT/NAME/hyp.jsonl of every system: a row per clip and text, ``decoded`` or ``given``.

    A row holds the words with times in thousandths of a second, as parse_words reads them. What a system
    refuses stands with its reason in OUTPUT/refused.tsv. What OUTPUT held before is replaced.

    Returns:
        name -> clips timed; a system that timed none has no folder.
    """
    fresh = Path(output).with_name(f".{Path(output).name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    counts, refused = {}, []
    for system in systems:
        rows = []
        batches = list(make_batches(clips, system.alone))
        for batch in progress(batches, len(batches), f"{system.name} {Path(output).parent.name}"):
            audios = [read_audio(clip.audio) for clip in batch]
            try:
                found = system.time(audios, [clip.text for clip in batch], [clip.language for clip in batch])
            except ValueError as error:
                refused += [(system.name, clip.utt, str(error)) for clip in batch]
                continue
            for text, answers in found.items():
                rows += [_row(clip, text, words) for clip, words in zip(batch, answers, strict=True)]
        counts[system.name] = len({(row["utt"], row["text_lang"]) for row in rows})
        if rows:
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in sorted(rows, key=_order)]
            (fresh / system.name).mkdir()
            (fresh / system.name / HYP).write_text("".join(lines), encoding="utf-8")
    (fresh / REFUSED).write_text("".join("\t".join(row) + "\n" for row in refused), encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    fresh.rename(output)
    return counts


def read_clips(dump: Path) -> list[Clip]:
    """The clips of a prepared set whose words have times, one for each language of them; perhaps none.

    Raises:
        ValueError: if there are some, but features in place of audio.
    """
    tasks = {name for name, spec in load_tasks().items() if spec.target == WORDS}
    rows = [row for row in read_rows(dump / "examples.jsonl", ("utt", "task")) if row["task"] in tasks]
    if not rows:
        return []
    if not (dump / "wav.scp").is_file():
        raise ValueError(f"{dump / 'wav.scp'} is missing; word times need audio: --feats_type raw")
    audio, samples = read_text(dump / "wav.scp"), read_num_samples(dump / "utt2num_samples")
    clips = {}
    for row in rows:
        utt, language = row["utt"], row["audio_lang"]
        said = [word for _, _, word in row[WORDS] if word != SIL]
        text = ("" if language in UNSPACED else " ").join(said)
        clip = Clip(utt, row["task"], audio[utt][0], samples[utt], language, text)
        clips.setdefault((utt, language), clip)
    return list(clips.values())


def make_batches(clips: list[Clip], alone: bool = False) -> Iterable[list[Clip]]:
    """Clips of one language and about one length, BATCH_SECONDS at most together."""
    batch: list[Clip] = []
    for clip in sorted(clips, key=lambda clip: (clip.language, clip.samples, clip.utt)):
        full = (len(batch) + 1) * clip.samples > BATCH_SECONDS * SAMPLE_RATE
        if batch and (alone or full or batch[0].language != clip.language):
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def head_systems(
    names: list[str], load: Callable[[], LoadedModel] | None, pick_on: Path | None = None, **place
) -> list[System]:
    """The systems of these names, in their order; those that the model cannot give are told and left out.

    Args:
        names: timestamp heads of the model; ``whisper:MODEL``, a pretrained Whisper with its own head; or
            ``pocketsphinx``, which aligns given English text.
        load: gives the model of the timestamp heads; None where there is none.
        pick_on: prepared set with known word times on which the model's attention heads are chosen.
        place: ``device`` and ``dtype`` of Whisper.

    Raises:
        ValueError: for a name that is none of these, or a head without a model.
    """
    loaded, systems = None, []
    for name in names:
        if name == POCKETSPHINX:
            systems.append(_pocketsphinx())
        elif name.startswith(WHISPER):
            from qwen_audio.infer.pretrained import load_whisper

            model = name.removeprefix(WHISPER)
            whisper = load_whisper(model, **place)
            systems.append(_system(Path(model).name, whisper, whisper.timestamp_head()))
        elif load is None:
            raise ValueError(
                f"head {name!r} needs a trained --model; without one: {WHISPER}MODEL, {POCKETSPHINX}"
            )
        else:
            loaded = loaded or load()
            _known(name)
            try:
                options = _picked(loaded, pick_on) if name == ATTENTION and pick_on else {}
                systems.append(_system(name, loaded, loaded.timestamp_head(name, **options)))
            except ValueError as error:
                print(f"{name}: left out: {error}", flush=True)
    return systems


def _picked(loaded: LoadedModel, aligned: Path) -> dict:
    from qwen_audio.timestamp.attention import Attention
    from qwen_audio.timestamp.pick_heads import pick, read_clips

    _, chosen = pick(read_clips(loaded, aligned, TASK, Attention()), PICKED)
    heads = [list(divmod(head, loaded.model.decoder.num_heads)) for head, _ in chosen]
    print(f"{ATTENTION}: heads {heads}, the best on {aligned}", flush=True)
    return {"heads": heads}


def _known(name: str) -> None:
    if ":" not in name and name not in SLOTS["timestamp_head"]:
        raise ValueError(
            f"head {name!r}{nearest(name, [*SLOTS['timestamp_head'], WHISPER + 'MODEL', POCKETSPHINX])}"
        )


def _system(name: str, loaded: LoadedModel, head: TimestampHead) -> System:
    def time(audios, texts, languages):
        if isinstance(head, Aligner):
            return dict(zip((DECODED, GIVEN), head.both(loaded, audios, texts, languages)))
        return {DECODED: head.words_of(loaded, audios, languages)}

    return System(name, time)


def _pocketsphinx() -> System:
    from qwen_audio.align.pocketsphinx import Pocketsphinx

    aligner = Pocketsphinx()

    def time(audios, texts, languages):
        found = [aligner.align(*clip) for clip in zip(audios, texts, languages, strict=True)]
        return {GIVEN: [[(word, start, end, 1.0) for start, end, word in words] for words in found]}

    return System(POCKETSPHINX, time, alone=True)


def _row(clip: Clip, text: str, words: list[Word]) -> dict:
    hyp = "".join(f"<|{start:.3f}|>{word}<|{end:.3f}|>" for word, start, end, _ in words)
    about = {"audio_lang": clip.language, "text_lang": clip.language, "text": text}
    return {"utt": clip.utt, "task": clip.task, **about, "hyp": hyp}


def _order(row: dict) -> tuple:
    return row["text"], row["utt"], row["text_lang"]
