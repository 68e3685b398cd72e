"""Fonts for a picture's letters: the usual one, and of those installed the ones that have what it lacks."""

import contextlib
import functools
import warnings
from collections.abc import Iterator

from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font

USUAL = "DejaVu Sans"  # matplotlib brings it along
ADVICE = "install a font that has them, such as Debian's fonts-wqy-microhei or fonts-noto-cjk for Chinese"


def fonts_for(text: str) -> tuple[list[str], str]:
    """Names of the fonts that draw ``text``, in the order to ask them, and the letters that none of them has.

    Fonts are looked for on the disk, not in matplotlib's list, which does not know what was installed later.
    """
    names = [USUAL]
    lacking = {letter for letter in text if letter.isprintable()} - _letters(findfont(USUAL))
    while lacking:
        best = max(_installed(), key=lambda path: len(lacking & _letters(path)), default=None)
        if best is None or not lacking & _letters(best):
            break
        fontManager.addfont(best)
        names.append(FontProperties(fname=best).get_name())
        lacking -= _letters(best)
    return names, "".join(sorted(lacking))


@contextlib.contextmanager
def drawing_boxes() -> Iterator[None]:
    """Within it, letters that no font has are drawn as boxes without a warning each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


@functools.cache
def _installed() -> tuple[str, ...]:
    return tuple(sorted(filter(_letters, findSystemFonts())))


@functools.cache
def _letters(path: str) -> frozenset[str]:
    """Of the first font in the file; none where it cannot be read."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (RuntimeError, OSError):
        return frozenset()
