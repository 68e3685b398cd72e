"""Decode G.722 to 16 kHz mono WAV with ffmpeg, many files per call (a call each would cost 40 ms a file)."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

RATE = 16000
BATCH = 50


def decode_g722(sources: list[Path], folder: Path) -> list[Path]:
    """Decode every source into ``folder``; one that was decoded before is not decoded again.

    A decoded file is named by its source's content, so folders may be shared by corpora.

    Raises:
        ValueError: naming the files of a batch that ffmpeg refuses, or if there is no ffmpeg.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wavs = [folder / f"{s.stem}-{hashlib.sha1(s.read_bytes()).hexdigest()[:16]}.wav" for s in sources]
    todo = {wav: source for wav, source in zip(wavs, sources, strict=True) if not wav.exists()}
    missing = list(todo.items())
    if missing and not shutil.which("ffmpeg"):
        raise ValueError("ffmpeg is missing; install it, or run tools/fetch_debs.sh --programs ffmpeg")
    for i in range(0, len(missing), BATCH):
        batch = missing[i : i + BATCH]
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
        for _, source in batch:
            command += ["-f", "g722", "-i", str(source)]
        for n, (wav, _) in enumerate(batch):
            command += [
                "-map",
                str(n),
                "-ar",
                str(RATE),
                "-ac",
                "1",
                "-f",
                "wav",
                str(wav.with_suffix(".part")),
            ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ValueError(f"ffmpeg refuses one of {batch[0][1]} ... {batch[-1][1]}: {last}")
        for wav, _ in batch:
            wav.with_suffix(".part").replace(wav)
        print(f"decoded {i + len(batch)} of {len(missing)} recordings", file=sys.stderr)
    return wavs
