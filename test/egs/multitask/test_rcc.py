import pytest
from make_corpora import rcc_file
from rcc import read_rcc

FILES = {"a.wav": b"one", "sounds/b.ogg": b"two" * 50, "sounds/deep/c.txt": b"", "überall/d": b"\x00\xff"}


def write(tmp_path, content):
    (tmp_path / "x.rcc").write_bytes(content)
    return tmp_path / "x.rcc"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_file_comes_out_as_it_went_in(tmp_path, version):
    assert dict(read_rcc(write(tmp_path, rcc_file(FILES, version=version)))) == FILES


def test_a_zlib_file_is_unpacked(tmp_path):
    path = write(tmp_path, rcc_file(FILES, compressed=("sounds/b.ogg",)))
    assert dict(read_rcc(path))["sounds/b.ogg"] == b"two" * 50


def test_a_resource_laid_out_by_hand_is_read(tmp_path):
    root = bytes.fromhex("00000000 0002 00000001 00000001")  # name 0, folder, 1 child, node 1
    # name 0, plain, any territory, any language, data 0
    leaf = bytes.fromhex("00000000 0000 0000 0000 00000000")
    data = bytes.fromhex("00000002 6869")  # 2 bytes, "hi"
    name = bytes.fromhex("0001 00000000 0078")  # 1 letter, hash, "x"
    # version 1, tree 20, data 48, names 54
    header = b"qres" + bytes.fromhex("00000001 00000014 00000030 00000036")
    assert dict(read_rcc(write(tmp_path, header + root + leaf + data + name))) == {"x": b"hi"}


def test_another_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="x.rcc: no Qt resource file"):
        list(read_rcc(write(tmp_path, b"RIFF" + bytes(40))))


def test_zstd_is_refused_by_name(tmp_path):
    content = bytearray(rcc_file({"x": b"hi"}, version=1))
    content[20 + 14 + 5] = 4  # the leaf's flags
    with pytest.raises(ValueError, match="x is compressed with zstd"):
        list(read_rcc(write(tmp_path, bytes(content))))
