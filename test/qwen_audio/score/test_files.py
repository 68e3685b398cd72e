import pytest

from qwen_audio.score.files import read_hypotheses, read_text


def test_an_id_that_repeats_has_several_texts(tmp_path):
    (tmp_path / "ref").write_text("a one  two\nb three\na four\n")
    assert read_text(tmp_path / "ref") == {"a": ["one  two", "four"], "b": ["three"]}


def test_an_id_alone_is_an_empty_text(tmp_path):
    (tmp_path / "hyp").write_text("a\nb \nc x")
    assert read_hypotheses(tmp_path / "hyp") == {"a": "", "b": "", "c": "x"}


def test_an_id_ends_at_an_ascii_blank(tmp_path):
    (tmp_path / "text").write_text("a\u30001\tone two\nb\u00a0\n", encoding="utf-8")
    assert read_text(tmp_path / "text") == {"a\u30001": ["one two"], "b\u00a0": [""]}


def test_only_a_newline_ends_a_line(tmp_path):
    (tmp_path / "ref").write_text("a one\u2028two\n", encoding="utf-8")
    assert read_text(tmp_path / "ref") == {"a": ["one\u2028two"]}


def test_an_empty_line_is_named(tmp_path):
    (tmp_path / "ref").write_text("a one\n\nb two\n")
    with pytest.raises(ValueError, match="ref:2: the line is empty; write `UTT TEXT`"):
        read_text(tmp_path / "ref")


def test_a_hypothesis_that_stands_twice_is_named(tmp_path):
    (tmp_path / "hyp").write_text("a one\na two\n")
    with pytest.raises(ValueError, match="hyp: a stands on 2 lines"):
        read_hypotheses(tmp_path / "hyp")


def test_other_encodings_are_an_error(tmp_path):
    (tmp_path / "ref").write_bytes("a é\n".encode("latin-1"))
    with pytest.raises(ValueError, match="ref:1: not UTF-8 at byte 2; convert it with iconv"):
        read_text(tmp_path / "ref")
