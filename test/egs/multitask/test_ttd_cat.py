import pytest
from make_corpora import cat_file
from ttd_cat import read_cat

SOUNDS = {"Horn": b"RIFF horn", "Größe": b"", "Wind": bytes(300)}


def test_every_sound_comes_out_with_its_name(tmp_path):
    (tmp_path / "x.cat").write_bytes(cat_file(SOUNDS))
    assert dict(read_cat(tmp_path / "x.cat")) == SOUNDS


@pytest.mark.parametrize("content", [b"", b"RIFF", b"qres" + bytes(20)])
def test_another_file_is_told(tmp_path, content):
    (tmp_path / "x.cat").write_bytes(content)
    with pytest.raises(ValueError, match="x.cat: no sounds of OpenTTD"):
        list(read_cat(tmp_path / "x.cat"))


@pytest.mark.parametrize("missing, what", [(1, "Wind"), (307, "a sound")])
def test_a_file_cut_short_names_the_sound(tmp_path, missing, what):
    (tmp_path / "x.cat").write_bytes(cat_file(SOUNDS)[:-missing])
    with pytest.raises(ValueError, match=f"x.cat: {what} is cut short"):
        list(read_cat(tmp_path / "x.cat"))
