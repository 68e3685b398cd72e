"""Make tiny corpora in the exact layout of the real ones, a few seconds of audio each.

    python test/egs/make_corpora.py asterisk DIR     then: local/data.sh --corpus_name asterisk --corpus DIR

The names are those of the functions below without make_. Every recording is a different chord, so that none
is another's copy; only the word clip is speech: espeak-ng's, word by word with silences between.
"""

import gzip
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent.parent
RATE = 16000
WORD_CLIP = Path(__file__).parent / "spaced_words.flac"
# (start_s, end_s, word) of WORD_CLIP, known because its words were laid there one by one
WORD_TIMES = [
    (0.3, 0.845, "please"),
    (1.045, 1.533, "enter"),
    (1.733, 2.249, "your"),
    (2.449, 3.053, "number"),
]
PROMPTS = {
    "en": [
        "Please enter your number.",
        "Goodbye and thank you.",
        "All lines are busy now.",
        "one",
        "two",
        "three",
        "four",
    ],
    "es": [
        "Marque su número.",
        "Adiós y muchas gracias.",
        "Las líneas están ocupadas.",
        "uno",
        "dos",
        "tres",
        "cuatro",
    ],
}
KEYS = ["vm-enter", "goodbye", "busy", "digits/1", "digits/2", "digits/3", "digits/4"]


def tone(name: object, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A chord of three pitches that no other name has; (N,) float in ±0.6."""
    seed = zlib.crc32(str(name).encode())
    time = np.arange(round(seconds * rate)) / rate
    pitches = np.random.default_rng(seed).uniform(200, 2000, 3)
    return 0.2 * np.sin(2 * np.pi * pitches[:, None] * time).sum(axis=0)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


def need_programs(*names: str) -> None:
    """Put programs on PATH as the recipe itself gets them: found, installed or unpacked."""
    folder = ROOT / "egs/multitask/downloads/programs"
    command = [ROOT / "tools/fetch_debs.sh", "--into", folder, "--programs", *names]
    subprocess.run(list(map(str, command)), check=True)
    if f"{folder}/bin" not in os.environ["PATH"].split(":"):
        os.environ["PATH"] += f":{folder}/bin"


def make_asterisk(folder: Path, prompts: Mapping[str, list[str]] = PROMPTS) -> Path:
    """Prompts in two languages as asterisk-core-sounds-* unpack."""
    need_programs("ffmpeg")
    voices = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison"}
    for lang, texts in prompts.items():
        lines = ["; tiny copy of the prompts' layout", ""]
        for n, (key, text) in enumerate(zip(KEYS, texts, strict=False)):
            samples = soundfile.read(WORD_CLIP)[0] if (lang, n) == ("en", 0) else tone(lang + key)
            path = folder / "usr/share/asterisk/sounds" / voices[lang] / f"{key}.g722"
            wav = write(path.with_suffix(".wav"), samples)
            command = [
                "ffmpeg",
                "-nostdin",
                "-loglevel",
                "error",
                "-y",
                "-i",
                str(wav),
                "-f",
                "g722",
                str(path),
            ]
            subprocess.run(command, check=True)
            wav.unlink()
            lines.append(f"{key}: {text}")
        document = folder / f"usr/share/doc/asterisk-core-sounds-{lang}/core-sounds-{lang}.txt.gz"
        document.parent.mkdir(parents=True, exist_ok=True)
        document.write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def make_sounds(folder: Path) -> Path:
    """Eight animals, four of them twice described, and the instruments, as Tux Paint and GCompris unpack."""
    for n, name in enumerate("abcdefgh"):
        path = folder / f"usr/share/tuxpaint/stamps/animals/mammals/beast_{name}.ogg"
        write(path, tone(path, seconds=1 + n, rate=22050), 22050)
        if n < 4:
            path.with_suffix(".txt").write_text(
                f"A beast of kind {name}.\nes.utf8=Una bestia.\n", encoding="utf-8"
            )
        spoken = path.with_name(f"beast_{name}_desc_es.ogg")
        write(spoken, tone(spoken))
    write(folder / "usr/share/tuxpaint/stamps/animals/mammals/mute.ogg", np.zeros(RATE))
    inside = {}
    for name in ["violin", "trumpet", "maracas", "cymbal", "bongo", "tambourine", "triangle"]:
        wav = write(folder / "work.wav", tone(name, 2.0))
        inside[f"gcompris/gcompris/src/activities/instruments/resource/{name}.wav"] = wav.read_bytes()
    (folder / "work.wav").unlink()
    target = folder / "usr/share/gcompris-qt/rcc/instruments.rcc"
    target.parent.mkdir(parents=True)
    target.write_bytes(rcc_file(inside))
    return folder


def make_fillets(folder: Path) -> Path:
    """Two levels of dialogue in Czech and Dutch, as fillets-ng-data-* unpack."""
    game = folder / "usr/share/games/fillets-ng"
    for lang, said in {"cs": "Řádek", "nl": "Regel"}.items():
        for level in range(6):
            lines = []
            for n, font in enumerate(["font_small", "font_big"]):
                lines.append(f'dialogId("l{n}", "{font}", "Line {level} {n}.")\n')
                lines.append(f'dialogStr("{said} {level} \\"{n}\\".")\n\n')
                sound = game / f"sound/level{level}/{lang}/l{n}.ogg"
                write(sound, tone(sound))
            lines.append(f'dialogId("late", "font_big", "Never.")\ndialogStr("{said}.")\n')
            script = game / f"script/level{level}/dialogs_{lang}.lua"
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text("".join(lines), encoding="utf-8")
    return folder


def make_librispeech(folder: Path) -> Path:
    """Two speakers of one chapter in train-clean-100, dev-clean and test-clean, two utterances each."""
    words = {"train-clean-100": "TRAIN", "dev-clean": "DEV", "test-clean": "TEST"}
    for number, (subset, word) in enumerate(words.items()):
        for speaker in (84 + number, 1272 + number):
            chapter = folder / subset / str(speaker) / "121123"
            lines = [f"{speaker}-121123-{n:04d} {word} SENTENCE {speaker} {n}\n" for n in range(2)]
            for n in range(2):
                write(chapter / f"{speaker}-121123-{n:04d}.flac", tone((subset, speaker, n)))
            (chapter / f"{speaker}-121123.trans.txt").write_text("".join(lines))
    return folder


def make_clotho(folder: Path) -> Path:
    """Two clips a split with five captions each; names hold blanks, commas and quotes as the real ones do."""
    for split in ["development", "validation", "evaluation"]:
        rows = ["file_name," + ",".join(f"caption_{n}" for n in range(1, 6))]
        for n, name in enumerate([f'Rain, "{split}" 01.wav', f"Door of the {split}'s hall (slam).wav"]):
            write(folder / split / name, tone(name))
            captions = [f'"Clip {n} of {split}, caption {k}"' for k in range(1, 6)]
            quoted = '"' + name.replace('"', '""') + '"'
            rows.append(",".join([quoted, *captions]))
        (folder / f"clotho_captions_{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def cat_file(sounds: Mapping[str, bytes]) -> bytes:
    """A file of OpenTTD's sounds: what is said of each -> its WAV file."""
    table, body = b"", b""
    for about, content in sounds.items():
        offset = 8 * len(sounds) + len(body)
        table += struct.pack("<II", offset | (0 if table else 1 << 31), len(content))
        body += struct.pack("B", len(about.encode()) + 1) + about.encode() + b"\0" + content
    return table + body


def rcc_file(files: Mapping[str, bytes], compressed: tuple[str, ...] = (), version: int = 3) -> bytes:
    """A Qt resource file; folders come from the slashes of the names, ``compressed`` names are zlib files."""
    tree: dict = {}
    for name, content in files.items():
        *folders, last = name.split("/")
        place = tree
        for part in folders:
            place = place.setdefault(part, {})
        place[last] = (name in compressed, content)
    names, data, nodes = b"", b"", []
    queue: list = [("", tree)]
    for name, item in queue:  # breadth first: the children of a folder stand side by side
        offset, encoded = len(names), name.encode("utf-16-be")
        names += struct.pack(">HI", len(name), 0) + encoded if name else b""
        time = struct.pack(">Q", 0) if version >= 2 else b""
        if isinstance(item, dict):
            nodes.append(struct.pack(">IHII", offset, 2, len(item), len(queue)) + time)
            queue += item.items()
        else:
            packed, content = item
            content = struct.pack(">I", len(content)) + zlib.compress(content) if packed else content
            nodes.append(struct.pack(">IHHHI", offset, int(packed), 0, 0, len(data)) + time)
            data += struct.pack(">I", len(content)) + content
    start = 24 if version >= 3 else 20
    body = b"".join(nodes)
    header = b"qres" + struct.pack(">IIII", version, start, start + len(body), start + len(body) + len(data))
    return header.ljust(start, b"\0") + body + data + names


def make_voices(folder: Path) -> Path:
    """Voice packs as hedgewars-data unpacks; Classic's laugh is Default's recording."""
    names = ["Laugh", "PoisonCough", "PoisonMoan", "Hmm", "Ow1", "Ow2", "Ooff1", "Jump1", "Hello"]
    for pack in ["Default", "Default_es", "Default_pl", "Default_ru", "Robot"]:
        for name in names:
            path = folder / f"usr/share/games/hedgewars/Data/Sounds/voices/{pack}/{name}.ogg"
            write(path, tone((pack, name), 0.4))
    voices = folder / "usr/share/games/hedgewars/Data/Sounds/voices"
    (voices / "Classic").mkdir()
    (voices / "Classic/Laugh.ogg").write_bytes((voices / "Default/Laugh.ogg").read_bytes())
    copyright_file = folder / "usr/share/doc/hedgewars-data/copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text(
        "Files: *\nLicense: GPL-2\n\nFiles: share/hedgewars/Data/Sounds/*\nLicense: GFDL-1.3\n"
    )
    return folder


def make_music(folder: Path) -> Path:
    """Pieces of all four sources; two of Wesnoth's share a title, Singularity's begins with silence."""
    need_programs("ffmpeg")
    wesnoth = folder / "usr/share/games/wesnoth/1.16/data/core/music"
    for n, title in enumerate(["Knolls", "Wanderer", "Suspense", "Victory", "Victory"]):
        write_tagged(wesnoth / f"piece{n}.ogg", tone(n, 52), title, "Romantic Classical")
    write(wesnoth / "silence.ogg", np.zeros(10 * RATE))
    samples = tone("nebula", 52)
    samples[: 6 * RATE] = 0
    write_tagged(folder / "usr/share/games/singularity/music/win/A Nebula.ogg", samples, "A Nebula", None)
    hold = folder / "usr/share/asterisk/moh/some_band-cold_day.g722"
    wav = write(hold.with_suffix(".wav"), tone(hold.name, 52))
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(wav), "-f", "g722", str(hold)]
    subprocess.run(command, check=True)
    wav.unlink()
    lines = ["Tracks are grouped by mood.", ""]
    for mood, bpm, key in [("calm", 68, "C major"), ("energetic", 132, "D minor")]:
        lines.append(f"{mood}/")
        for n in range(3):
            style = "electronic" if n == 2 else "acoustic"
            name = f"{mood}_{style}_{n}.opus"
            path = folder / "python/immich_memories_music/tracks" / mood / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(name, 11), RATE, format="OGG", subtype="OPUS")
            lines.append(f"  {name:<35} {bpm:>3} bpm  {key:<9} seed {n}  [{style}]")
    settings = folder / "python/immich_memories_music-0.1.0.dist-info/licenses/LICENSE-MUSIC"
    settings.parent.mkdir(parents=True)
    settings.write_text("\n".join(lines) + "\n")
    return folder


def write_tagged(path: Path, samples: np.ndarray, title: str, genre: str | None) -> None:
    """An Ogg Vorbis file with comments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", RATE, 1, format="OGG", subtype="VORBIS") as sound:
        sound.title, sound.artist = title, "A. Composer"
        if genre:
            sound.genre = genre
        sound.write(samples)


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    print(globals()[f"make_{name}"](Path(folder)))
