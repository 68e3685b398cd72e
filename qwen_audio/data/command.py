"""Commands of wav.scp, ``u1 flac -c -d -s x.flac |``: run as Kaldi runs them, what they write is the recording.

Only stages that read a data directory of the user's call this; whatever else reads audio refuses a command.
"""

import os
import subprocess
import tempfile
from typing import BinaryIO

import numpy as np

from qwen_audio.audio import AudioError
from qwen_audio.ffmpeg import any_audio
from qwen_audio.riff import read_riff_header

SLACK_SECONDS = 0.1  # sox tells the length before it has resampled: it may be some samples less
OPEN_LENGTH = b"\xff" * 4
SAID_BYTES = 4096  # of the end of stderr, where the last line stands


def command_audio(spec: str) -> np.ndarray:
    """The wave that a command writes, (N,) float32 in ±1, mono, at 16 kHz: what any_audio reads.

    It is run by /bin/sh in this folder, without input. What it writes lies in a temporary file (of $TMPDIR) meanwhile.

    Raises:
        AudioError: "failed command" if it fails or writes nothing, or as any_audio; with the last line that it said.
    """
    command = spec.strip().removesuffix("|").strip()
    with tempfile.NamedTemporaryFile(prefix="qwen_audio_") as sound, tempfile.TemporaryFile() as said:
        done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=sound, stderr=said)
        if done.returncode or not os.path.getsize(sound.name):
            ended = f"ended with status {done.returncode}" if done.returncode else "wrote nothing"
            raise AudioError(f"failed command: `{command}` {ended}{_last_line(said)}")
        _mend_length(sound.name)
        try:
            return any_audio(sound.name)
        except AudioError as error:
            fault = (
                str(error).replace(f"file:{sound.name}: ", "").replace(sound.name, f"what `{command}` writes")
            )
            raise AudioError(fault + _last_line(said)) from None


def _last_line(said: BinaryIO) -> str:
    said.seek(max(said.seek(0, os.SEEK_END) - SAID_BYTES, 0))
    lines = said.read().decode(errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"; it said: {last}" if last else ""


def _mend_length(path: str) -> None:
    """Leave the length of a wave open where its header cannot know it: it says 0, or a little more than is there."""
    with open(path, "r+b") as stream:
        try:
            header = read_riff_header(stream)
        except ValueError:  # no wave; or what is wrong is told when it is read
            return
        slack = SLACK_SECONDS * header.rate * header.channels * header.bits / 8
        if header.data_bytes == 0 or 0 < header.missing_bytes <= slack:
            stream.seek(-len(OPEN_LENGTH), os.SEEK_CUR)
            stream.write(OPEN_LENGTH)
