import shutil
from pathlib import Path

import matplotlib
import pytest
from matplotlib.font_manager import FontProperties, get_font

from qwen_audio.align import fonts
from qwen_audio.align.fonts import USUAL, fonts_for

SHIPPED = Path(matplotlib.get_data_path()) / "fonts/ttf"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Function (names) that makes these of matplotlib's own fonts the installed ones."""

    def install(*names):
        paths = [shutil.copy(SHIPPED / name, tmp_path / name) for name in names]
        monkeypatch.setattr(fonts, "findSystemFonts", lambda: list(map(str, paths)))
        fonts._installed.cache_clear()
        return paths

    yield install
    fonts._installed.cache_clear()


def letter_of(path):
    """A letter that the usual font lacks."""
    usual = set(get_font(str(SHIPPED / "DejaVuSans.ttf")).get_charmap())
    return chr(min(code for code in get_font(str(path)).get_charmap() if code not in usual and code > 0x20))


def test_what_the_usual_font_has_needs_no_other(installed):
    installed("STIXGeneral.ttf")
    assert fonts_for("déjà vu, Привет, $5\n") == ([USUAL], "")


def test_a_letter_that_it_lacks_comes_from_an_installed_font_that_has_it(installed):
    other, stix = installed("cmtt10.ttf", "STIXGeneral.ttf")
    letter = letter_of(stix)
    names, lacking = fonts_for(f"a{letter}")
    assert names == [USUAL, FontProperties(fname=stix).get_name()] and lacking == ""


def test_a_letter_in_no_font_is_told(installed):
    installed("STIXGeneral.ttf")
    assert fonts_for("a知道") == ([USUAL], "知道")


def test_a_file_that_is_no_font_is_passed_over(installed, tmp_path, monkeypatch):
    (stix,) = installed("STIXGeneral.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf"), stix])
    assert len(fonts_for(letter_of(stix))[0]) == 2
