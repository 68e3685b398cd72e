import pytest

from qwen_audio.data.json_rows import ResumedRows, read_rows, write_rows


def read(path):
    return ResumedRows(path, {"model": "a"}, lambda row: row["id"])


def test_rows_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [{"id": 1, "text": "é\n"}, {"id": 2}])
    assert path.read_text(encoding="utf-8") == '{"id": 1, "text": "é\\n"}\n{"id": 2}\n'

    def broken():
        yield {"id": 3}
        raise ValueError

    with pytest.raises(ValueError):
        write_rows(path, broken())
    assert path.read_text(encoding="utf-8").startswith('{"id": 1')
    assert list(tmp_path.iterdir()) == [path]


def test_rows_name_the_line_that_is_no_json_or_lacks_a_key(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"utt": "a"}\n{oops\n')
    with pytest.raises(ValueError, match="x.jsonl:2: no JSON"):
        list(read_rows(tmp_path / "x.jsonl", ("utt",)))
    with pytest.raises(ValueError, match="x.jsonl:1: the row has no task, hyp"):
        list(read_rows(tmp_path / "x.jsonl", ("utt", "task", "hyp")))


def test_rows_go_on_after_a_break_within_a_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    with read(path) as rows:
        rows.add({"id": 1})
        rows.add({"id": 2})
    path.write_bytes(path.read_bytes()[:-3])
    with read(path) as rows:
        assert set(rows.done) == {1}
        rows.add({"id": 3})
    assert set(read(path).done) == {1, 3}


@pytest.mark.parametrize("content", [b"", b'{"model": "b"}\n{"id": 1}\n', b'{"model": "a"', b"\xff\n"])
def test_rows_of_anything_else_are_begun_anew(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    assert read(path).done == {}
    assert path.read_bytes() == b'{"model": "a"}\n'
