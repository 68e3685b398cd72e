import sys

from qwen_audio import progress as module
from qwen_audio.progress import progress


def test_a_log_gets_a_line_every_so_many_seconds_and_one_at_the_end(capsys, monkeypatch):
    clock = iter([0.0, 4.0, 8.0, 12.0, 16.0, 20.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    assert list(progress("abcd", 4, "spell", every_seconds=8)) == ["a", "b", "c", "d"]
    assert capsys.readouterr().err.splitlines() == [
        "spell: 2 of 4 (50%) in 8 s, 0.2/s, 8 s left",
        "spell: 4 of 4 (100%) in 16 s, 0.2/s",
        "spell: 4 of 4 (100%) in 20 s, 0.2/s",
    ]


def test_without_a_total_there_is_no_share(capsys):
    assert list(progress([], None, "nothing")) == []
    assert capsys.readouterr().err.startswith("nothing: 0 in 0 s")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    list(progress("abcd", 4, "spell"))
    assert "spell: 100%|" in capsys.readouterr().err
