import subprocess
from pathlib import Path

import pytest
from make_corpora import need_programs

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def sound_corpus():
    """Folder with the unpacked package of the sound font, fluidsynth being on the PATH."""
    need_programs("fluidsynth")
    into = ROOT / "egs/multitask/downloads/deb"
    subprocess.run([ROOT / "tools/fetch_debs.sh", "--into", into, "timgm6mb-soundfont"], check=True)
    return into
