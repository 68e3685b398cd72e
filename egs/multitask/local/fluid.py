"""Clips rendered with FluidSynth from the TimGM6mb sound font."""

import hashlib
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml
from midi import Message, all_sound_off, midi_file

SOUND_FONT = Path("usr/share/sounds/sf2/TimGM6mb.sf2")
RATE = 16000
GAP_MS, REVERB_MS = 50, 1500  # from the end of a clip to the next; where what was played resounds
GAIN = "0.8"  # of fluidsynth; the loudest single note stays below full scale
BATCH_MS = 275_000  # rendered in one call
LICENCE = """Rendered here with FluidSynth from the sound font TimGM6mb of Tim Brechbill (Debian package
timgm6mb-soundfont, GPL-2; see usr/share/doc/timgm6mb-soundfont/copyright in it).
"""


@dataclass(frozen=True)
class Clip:
    """What is played for so many milliseconds; messages at milliseconds from its start, in their order."""

    name: str
    messages: tuple[Message, ...]
    length_ms: int


def sound_font(corpus: Path) -> Path:
    """The sound font among the unpacked packages.

    Raises:
        ValueError: if it is not there.
    """
    font = corpus / SOUND_FONT
    if not font.exists():
        raise ValueError(f"{font} is missing; it comes with the Debian package timgm6mb-soundfont")
    return font


def families() -> dict[int, str]:
    """General MIDI program -> its family, of instruments.yaml."""
    kinds = yaml.safe_load(Path(__file__).with_name("instruments.yaml").read_text())
    return {program: family for family, kind in kinds.items() for program in kind["programs"]}


def folder_for(downloads: Path, font: Path) -> Path:
    """Where the clips of this sound font are kept."""
    return downloads / hashlib.sha1(font.read_bytes()).hexdigest()[:12]


def render(clips: list[Clip], font: Path, folder: Path, processes: int, reverb: bool = False) -> None:
    """Render the clips that ``folder`` lacks, each to NAME.wav, 16 kHz mono.

    Args:
        reverb: as in a room; else dry.

    Raises:
        ValueError: if there is no fluidsynth, or it does not render all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [clip for clip in clips if not (folder / f"{clip.name}.wav").exists()]
    if todo and not shutil.which("fluidsynth"):
        raise ValueError(
            "fluidsynth is missing; install it, or run tools/fetch_debs.sh --programs fluidsynth"
        )
    batches: list[list[Clip]] = []
    left = 0
    for clip in todo:
        if clip.length_ms > left:
            batches.append([])
            left = BATCH_MS
        batches[-1].append(clip)
        left -= clip.length_ms + (REVERB_MS if reverb else GAP_MS)
    calls = [(batch, font, folder, reverb) for batch in batches]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for n, size in enumerate(pool.imap_unordered(render_batch, calls), 1):
            print(f"rendered batch {n} of {len(batches)}, {size} clips", file=sys.stderr)


def render_batch(call: tuple[list[Clip], Path, Path, bool]) -> int:
    """One call of fluidsynth, one MIDI file, cut at the clips' exact times.

    Raises:
        ValueError: with fluidsynth's last line, if it wrote less than the clips need.
    """
    clips, font, folder, reverb = call
    starts, messages, now = [], [], 0
    for clip in clips:
        starts.append(now)
        messages += [(now + at, message) for at, message in clip.messages]
        now += clip.length_ms
        messages.append((now, all_sound_off()))
        now += REVERB_MS if reverb else GAP_MS
    with tempfile.TemporaryDirectory(dir=folder) as work:
        song, sound = Path(work, "clips.mid"), Path(work, "clips.wav")
        song.write_bytes(midi_file(messages))
        options = ["-ni", "-q", "-g", GAIN, "-R", str(int(reverb)), "-C", "0", "-r", str(RATE)]
        command = ["fluidsynth", *options, "-F", str(sound), str(font), str(song)]
        done = subprocess.run(command, capture_output=True, text=True)
        samples = soundfile.read(sound)[0].mean(axis=1) if sound.exists() else np.zeros(0)
        spans = [(RATE * at // 1000, RATE * (at + clip.length_ms) // 1000) for at, clip in zip(starts, clips)]
        if len(samples) < spans[-1][1]:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ValueError(f"fluidsynth rendered {len(samples) / RATE:.1f} s of {len(clips)} clips: {last}")
        for clip, (start, end) in zip(clips, spans, strict=True):
            target = folder / f"{clip.name}.wav"
            part = target.with_suffix(".part")
            soundfile.write(part, samples[start:end], RATE, subtype="PCM_16", format="WAV")
            part.replace(target)
    return len(clips)
