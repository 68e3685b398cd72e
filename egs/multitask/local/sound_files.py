"""The sound files of the packages, each with its licence and what its package says of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from licences import licence_of
from rcc import read_rcc
from ttd_cat import read_cat

PACKAGES = (
    "gcompris-qt-data",
    "tuxpaint-stamps-default",
    "openttd-opensfx",
    "minetest-data",
    "simutrans-pak64",
)
AUDIO = (".ogg", ".wav")
DOCS = Path("usr/share/doc")
GAMES = Path("usr/share/games")
RCC = Path("usr/share/gcompris-qt/rcc")
STAMPS = Path("usr/share/tuxpaint/stamps")
OPENSFX = GAMES / "openttd/baseset/opensfx/opensfx.cat"
MINETEST = GAMES / "minetest/games/minetest_game"
SIMUTRANS = GAMES / "simutrans/pak/sound"
SAME_SOURCE = ("goat",)  # names that hold one of these sound like takes of one recording


@dataclass
class Sound:
    """A recording: its name in sound_labels.yaml, its file, what is heard, a caption where there is one."""

    name: str
    path: Path
    licence: str
    caption: str | None = None
    originals: tuple[str, ...] = ()  # recordings that it was cut or mixed from
    label: str = ""
    seconds: float = 0.0
    content: str = ""

    @property
    def recording(self) -> str:
        return "sounds-" + re.sub(r"[^A-Za-z0-9]+", "-", self.name.rpartition(".")[0]).strip("-")

    @property
    def sources(self) -> set[str]:
        """What it shares with other takes: originals, and the name up to its first number."""
        folder, _, file = self.name.rpartition("/")
        take = re.split(r"\d", file.rpartition(".")[0])[0].rstrip("._- ") or file
        return {*self.originals, f"{folder}/{take}", *(part for part in SAME_SOURCE if part in self.name)}


def find_sounds(corpus: Path, folder: Path) -> list[Sound]:
    """All that is there; what stands within larger files is taken out into ``folder``.

    Raises:
        ValueError: if there is no sound.
    """
    found = [
        *gcompris(corpus, folder),
        *stamps(corpus),
        *opensfx(corpus, folder),
        *minetest(corpus),
        *simutrans(corpus),
    ]
    if not found:
        places = ", ".join(map(str, (RCC, STAMPS, OPENSFX, MINETEST, SIMUTRANS)))
        raise ValueError(f"{corpus}: no sounds; it must hold one of {places}")
    return found


def gcompris(corpus: Path, folder: Path) -> Iterator[Sound]:
    """The sounds in GCompris' resource files."""
    for path in sorted((corpus / RCC).glob("*.rcc")):
        for inner, content in read_rcc(path):
            if inner.endswith(AUDIO):
                name = f"gcompris/{path.stem}/{inner.rpartition('/')[2]}"
                licence = package_licence(corpus, "gcompris-qt-data", "src/" + inner.partition("/src/")[2])
                yield Sound(name, taken_out(folder / name, content), licence)


def stamps(corpus: Path) -> Iterator[Sound]:
    """The sounds of Tux Paint's stamps; NAME_desc are spoken, the first line of NAME.txt is a phrase."""
    for path in sorted((corpus / STAMPS).rglob("*")):
        if path.suffix in AUDIO and "_desc" not in path.name:
            phrase = path.with_suffix(".txt")
            lines = phrase.read_text(encoding="utf-8").splitlines() if phrase.exists() else []
            inner = path.relative_to(corpus / STAMPS).as_posix()
            caption = lines[0].strip() if lines else None
            licence = package_licence(corpus, "tuxpaint-stamps-default", inner)
            yield Sound(f"tuxpaint/{inner}", path, licence, caption or None)


def opensfx(corpus: Path, folder: Path) -> Iterator[Sound]:
    """OpenTTD's sounds; the name of each is ``"TITLE". Original "FILE" by .... License: ....``."""
    if (corpus / OPENSFX).exists():
        for about, content in read_cat(corpus / OPENSFX):
            title = about.partition('". ')[0].strip('"')
            originals = tuple(re.findall(r'"([^"]+\.[a-z0-9]{3,4})"', about.partition('". ')[2]))
            licence = re.search(r"License: (.*?\d\.\d)", about)
            name = f"opensfx/{title.replace('/', '-')}.wav"
            said = licence[1] if licence else package_licence(corpus, "openttd-opensfx", "src/wav/")
            yield Sound(name, taken_out(folder / name, content), said, title, originals)


def minetest(corpus: Path) -> Iterator[Sound]:
    for path in sorted((corpus / MINETEST).glob("mods/*/sounds/*.ogg")):
        inner = "mtg/" + path.relative_to(corpus / MINETEST).as_posix()
        yield Sound(f"minetest/{path.name}", path, package_licence(corpus, "minetest-data", inner))


def simutrans(corpus: Path) -> Iterator[Sound]:
    for path in sorted((corpus / SIMUTRANS).glob("*.wav")):
        yield Sound(f"simutrans/{path.name}", path, package_licence(corpus, "simutrans-pak64", path.name))


def package_licence(corpus: Path, package: str, inner: str) -> str:
    return licence_of(corpus / DOCS / package / "copyright", inner)


def taken_out(target: Path, content: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target
