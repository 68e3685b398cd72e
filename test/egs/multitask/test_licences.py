from licences import licence_of

COPYRIGHT = """Format: x

Files: *
Copyright: A
License: GPL-3+
 text

Files: src/a.wav
       src/b*.wav
Copyright: B
License: CC-BY-3.0
Comment: c

License: CC-BY-3.0
 text
"""


def test_the_last_paragraph_that_covers_a_file_decides(tmp_path):
    (tmp_path / "copyright").write_text(COPYRIGHT)
    names = ["src/a.wav", "src/b2.wav", "src/c.wav"]
    assert [licence_of(tmp_path / "copyright", name) for name in names] == [
        "CC-BY-3.0",
        "CC-BY-3.0",
        "GPL-3+",
    ]


def test_a_missing_file_is_referred_to(tmp_path):
    assert licence_of(tmp_path / "pkg/copyright", "x") == "see copyright of pkg"
