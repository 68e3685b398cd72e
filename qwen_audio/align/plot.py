"""Pictures of aligned clips: waveform, spectrogram, words as coloured spans, what an attention head saw."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qwen_audio.align.aligner import WordAligner
from qwen_audio.align.fonts import ADVICE, drawing_boxes, fonts_for
from qwen_audio.align.model import Model
from qwen_audio.align.transcripts import Transcript, read_transcripts
from qwen_audio.audio import HOP_SECONDS, N_MELS, SAMPLE_RATE
from qwen_audio.data.dump import flac_name
from qwen_audio.data.kaldi_dir import KaldiDir
from qwen_audio.frontend.log_mel import log_mel
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.attention import Attended
from qwen_audio.timestamp.path import best_path
from qwen_audio.words import Word

# Of Okabe and Ito: told apart by all colour vision
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
INCHES_PER_SECOND, NARROWEST, WIDEST = 1.6, 8.0, 60.0  # 0.3 s are as wide as eight letters
TOKEN_INCHES = 0.15  # a line of small print
DPI = 100

Drawn = tuple[Transcript, list[Word], str]  # its words, or none and the reason


def plot_data(
    data: Path, which: str, output: Path, aligner: WordAligner | None = None, language: str | None = None
) -> Iterator[str]:
    """Draw utterances of a data directory; yields of each the file written, or why there is none.

    At the end it yields what letters no installed font has, if there are such: they are drawn as boxes.

    Args:
        which: an utterance, where ``output`` is a PNG; where it is a folder, a number: the first so many.
        aligner: finds the words to be drawn; without one they are those that the directory has.
        language: only clips in this one.

    Raises:
        ValueError: if there is no such utterance, it has no words, or ``which`` is no number.
    """
    output, single = Path(output), Path(output).suffix.lower() == ".png"
    if not single and not (which.isdigit() and int(which)):
        raise ValueError(
            f"--plot {which} --output {output}: write a file, {which}.png, or a number and a folder"
        )
    if aligner:
        found = (t for t in read_transcripts(data, load_tasks(), language) if not single or t.utt == which)
        chosen = _aligned(aligner, islice(found, 1 if single else int(which)))
    else:
        found = (drawn for drawn in _known(data, language) if not single or drawn[0].utt == which)
        chosen = islice(found, 1 if single else int(which))
    count, lacking = 0, set()
    for transcript, words, reason in chosen:
        count += 1
        if reason and single:
            raise ValueError(f"{data}: {which} has no words to draw: {reason}")
        if reason:
            yield f"{transcript.utt}: no words to draw: {reason}"
            continue
        path = output if single else output / Path(flac_name(0, transcript.utt)).with_suffix(".png").name
        path.parent.mkdir(parents=True, exist_ok=True)
        attended = aligner.attended(transcript) if isinstance(aligner, Model) else None
        figure, without_font = draw(transcript.wave(), words, transcript.utt, attended)
        with drawing_boxes():
            figure.savefig(path)
        lacking.update(without_font)
        yield str(path)
    if not count:
        spoken = f" in {language}" if language else ""
        raise ValueError(
            f"{data}: no {which if single else 'utterance'}{spoken} {'' if aligner else 'with words'}"
        )
    if lacking:
        yield f"drawn as boxes, because no installed font has them: {''.join(sorted(lacking))}; {ADVICE}"


def draw(
    wave: np.ndarray, words: list[Word], title: str, attended: Attended | None = None
) -> tuple[Figure, str]:
    """The picture of a clip, x being seconds in every panel; and the letters that no installed font has.

    Shapes: wave (N,) in ±1 at 16 kHz.
    """
    seconds = len(wave) / SAMPLE_RATE
    width = min(max(INCHES_PER_SECOND * seconds, NARROWEST), WIDEST)
    heights = [1.2, 2.0, 0.7] + ([TOKEN_INCHES * (len(attended.tokens) + 1) + 0.4] if attended else [])
    tokens = [token.decode("utf-8", "replace") for token in attended.tokens] if attended else []
    fonts, lacking = fonts_for("".join([title, *tokens, *(word for _, _, word in words)]))
    with drawing_boxes(), matplotlib.rc_context({"font.family": fonts, "font.size": 8}):
        figure = Figure((width, sum(heights) + 0.8), DPI, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _waveform(panels[0], wave)
        _spectrogram(panels[1], wave)
        _words(panels[2], words)
        if attended:
            _attention(panels[3], attended, tokens)
        for panel in panels[:2]:
            for number, (start, end, _) in enumerate(words):
                colour = COLOURS[number % len(COLOURS)]
                panel.axvspan(
                    start, end, color=colour, alpha=0.3 if panel is panels[0] else 0.15, linewidth=0
                )
                panel.axvline(start, color=colour, linewidth=0.8)
                panel.axvline(end, color=colour, linewidth=0.8)
        panels[0].set_title(title, loc="left")
        panels[0].set_xlim(0, seconds)
        panels[-1].set_xlabel("seconds")
        figure.draw_without_rendering()  # while the fonts are chosen
    return figure, lacking


def _waveform(panel: Axes, wave: np.ndarray) -> None:
    panel.plot(np.arange(len(wave)) / SAMPLE_RATE, wave, color="#303030", linewidth=0.4)
    panel.set_ylabel("amplitude")


def _spectrogram(panel: Axes, wave: np.ndarray) -> None:
    features, frames = log_mel(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    extent = (0, int(frames[0]) * HOP_SECONDS, 0, N_MELS)
    panel.imshow(features[0].T.numpy(), origin="lower", aspect="auto", extent=extent, cmap="Greys")
    panel.set_ylabel("mel band")


def _words(panel: Axes, words: list[Word]) -> None:
    """Spans with their words, in two rows by turns, so that short words leave each other room."""
    for number, (start, end, word) in enumerate(words):
        bottom, colour = 1 - number % 2, COLOURS[number % len(COLOURS)]
        panel.barh(bottom, end - start, 1, start, align="edge", color=colour, edgecolor=colour, alpha=0.6)
        panel.text((start + end) / 2, bottom + 0.5, word, ha="center", va="center", parse_math=False)
    panel.set_ylim(0, 2)
    panel.set_yticks([])
    panel.set_ylabel("words")


def _attention(panel: Axes, attended: Attended, tokens: list[str]) -> None:
    count, frames = attended.matrix.shape
    last = frames * attended.frame
    panel.imshow(attended.matrix, aspect="auto", extent=(0, last, count, 0), cmap="Greys")
    starts = best_path(attended.matrix) * attended.frame
    rows = np.arange(count) + 0.5
    panel.stairs(rows, np.append(starts, last), baseline=None, color=COLOURS[5], linewidth=1.2)
    panel.set_yticks(rows, [*tokens, "end"], parse_math=False, fontsize=7)
    panel.set_ylabel("attention, and the path")


def _known(data: Path, language: str | None) -> Iterator[Drawn]:
    """The clips whose words stand in examples.jsonl."""
    for utterance in KaldiDir(data, load_tasks()).utterances():
        for row in utterance.examples:
            if row["task"] == "srwt" and language in (None, row["audio_lang"]):
                place = (utterance.recording, utterance.audio, utterance.start, utterance.end)
                transcript = Transcript(
                    utterance.id, *place, None, row["audio_lang"], reason=utterance.reason
                )
                yield transcript, [tuple(word) for word in row["words"]], utterance.reason


def _aligned(aligner: WordAligner, transcripts: Iterator[Transcript]) -> Iterator[Drawn]:
    """Their words as the aligner finds them."""
    for transcript in transcripts:
        if transcript.reason:
            yield transcript, [], transcript.reason
        else:
            yield from aligner.align_all([transcript])
