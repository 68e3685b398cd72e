import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import META, write_set

from qwen_audio.data import token_set, token_set_writer
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter


def test_what_is_written_is_read(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        first = writer.add_audio("utt-ä", "clips/ä b.wav")
        second = writer.add_audio("utt2", "wav.ark:15")
        writer.add([1, 5], [6, 2], ctc=[6], samples=16000, task="asr", utt_row=first, line=0)
        writer.add([1], [7, 8, 2], ctc=[], samples=8000, task="lid", utt_row=second, line=40)
        writer.add([1], [9, 2], ctc=[9, 9], samples=16000, task="asr", utt_row=first, line=77)
        writer.close(META)
    data = TokenSet(tmp_path / "set")
    assert [data.text(row).tolist() for row in range(3)] == [[1, 5, 6, 2], [1, 7, 8, 2], [1, 9, 2]]
    assert [data.ctc(row).tolist() for row in range(3)] == [[6], [], [9, 9]]
    assert [data.utt_id(row) for row in range(3)] == ["utt-ä", "utt2", "utt-ä"]
    assert [data.audio_spec(row) for row in range(3)] == ["clips/ä b.wav", "wav.ark:15", "clips/ä b.wav"]
    assert data.rows["line"].tolist() == [0, 40, 77]
    assert (data.rows_of("asr").tolist(), data.rows_of("lid").tolist()) == ([0, 2], [1])
    assert data.rows_of("aac").tolist() == []
    assert data.counts["asr"] == {"rows": 2, "samples": 32000, "prompt": 3, "target": 4, "ctc": 3}
    assert data.ctc_tokens().tolist() == [6, 9]
    assert data.meta["pad"] == 0


def test_files_are_plain_npy_of_the_documented_types(tmp_path):
    write_set(tmp_path / "set", [("asr", 1600, 2, 3), ("lid", 1600, 2, 3)])
    assert np.load(tmp_path / "set" / "tokens.npy").dtype == np.dtype("<i4")
    assert np.load(tmp_path / "set" / "rows.npy").dtype == token_set.ROW_DTYPE
    assert np.load(tmp_path / "set" / "utts.npy").tolist() == [b"utt0", b"utt1"]


def test_the_size_of_a_block_changes_nothing(tmp_path, monkeypatch):
    rows = [(("asr", "lid", "aac")[n % 3], 1600 + n, 2, 3 + n % 4) for n in range(50)]
    whole = write_set(tmp_path / "whole", rows)
    for module in (token_set, token_set_writer):
        monkeypatch.setattr(module, "BLOCK", 7)
    blocks = write_set(tmp_path / "blocks", rows)
    assert whole.rows.tobytes() == blocks.rows.tobytes()
    assert all(whole.rows_of(task).tolist() == blocks.rows_of(task).tolist() for task in whole.tasks)
    assert blocks.rows_of("lid").tolist() == list(range(1, 50, 3))
    by_hand = {int(token) for row in range(50) for token in whole.ctc(row)}
    assert whole.ctc_tokens().tolist() == blocks.ctc_tokens().tolist() == sorted(by_hand)


def test_a_text_without_audio_is_named_by_the_place_of_its_example(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        writer.add([5], [6, 2], ctc=[], samples=0, task="chat", utt_row=-1, line=123)
        writer.close(META)
    assert TokenSet(tmp_path / "set").utt_id(0) == "examples.jsonl@123"


def test_a_dialogue_keeps_its_audios_and_what_of_it_is_supervised(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        trained = [False, True, True, False, True]
        writer.add_dialogue([1, 6, 0, 1, 8], trained, [("a.wav", 160), ("b.ark:3", 320)], "joined", "d1", 0)
        writer.add_dialogue([5, 6], [False, True], [], "text", "d2", 1)
        writer.add_dialogue([1, 9, 2], [False, True, True], [("a.wav", 160)], "template/asr", "d3", 2)
        writer.close(META)
    data = TokenSet(tmp_path / "set")
    assert [data.text(row).tolist() for row in range(3)] == [[1, 6, 0, 1, 8], [5, 6], [1, 9, 2]]
    assert [data.supervised(row).tolist() for row in range(3)] == [
        trained,
        [False, True],
        [False, True, True],
    ]
    assert data.rows["prompt"].tolist() == [1, 1, 1] and data.rows["samples"].tolist() == [480, 0, 160]
    owner, audios, samples = data.clips(np.array([2, 1, 0]))
    assert (owner.tolist(), samples.tolist()) == ([0, 2, 2], [160, 160, 320])
    assert [data.spec(audio) for audio in audios] == ["a.wav", "a.wav", "b.ark:3"]
    assert data.audio_spec(0) == "a.wav" and data.utt_id(2) == "d3"
    with pytest.raises(ValueError, match="dialogue d4 has no word of the assistant to learn"):
        TokenSetWriter(tmp_path / "other").add_dialogue([1, 2], [False, False], [], "text", "d4", 3)


def test_whose_an_audio_is_is_copied_from_the_file_once(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        for number in range(2):
            writer.add_dialogue([1, 6], [False, True], [("a.wav", 160)], "joined", f"d{number}", number)
        writer.close(META)
    data, asked = TokenSet(tmp_path / "set"), []

    class Asked:
        def __getitem__(self, column, clips=data._clips):
            asked.append(column)
            return clips[column]

    data._clips = Asked()
    assert [data.clips(np.array([row]))[1].tolist() for row in (0, 1)] == [[0], [1]]
    assert asked.count("row") == 1


def test_a_set_of_examples_has_an_audio_a_row(tmp_path):
    data = write_set(tmp_path / "set", [("asr", 1600, 2, 3), ("lid", 800, 2, 3)])
    assert [found.tolist() for found in data.clips(np.array([1, 0]))] == [[0, 1], [1, 0], [800, 1600]]
    assert data.supervised(0).tolist() == [False, False, True, True, True]
    assert not (tmp_path / "set" / "clips.npy").exists()


def test_a_break_while_writing_leaves_the_old_set(tmp_path):
    write_set(tmp_path / "set", [("asr", 1600, 2, 3)])
    with pytest.raises(KeyError), TokenSetWriter(tmp_path / "set") as writer:
        writer.add([1], [2], [], 10, "asr", 0, 0)
        raise KeyError
    assert len(TokenSet(tmp_path / "set")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_checksum_follows_the_contents(tmp_path):
    one, same, other = (
        write_set(tmp_path / name, [("asr", samples, 2, 3)])
        for name, samples in (("a", 5), ("b", 5), ("c", 6))
    )
    assert one.meta["sha256"] == same.meta["sha256"] != other.meta["sha256"]


def test_errors_name_the_file_or_the_place(tmp_path):
    with pytest.raises(ValueError, match="meta.json is missing; write the set with stage 2"):
        TokenSet(tmp_path)
    with pytest.raises(ValueError, match="example at byte 70 has no target token"):
        TokenSetWriter(tmp_path / "a").add([1], [], [], 10, "asr", 0, 70)
    with pytest.raises(ValueError, match="would be empty"):
        TokenSetWriter(tmp_path / "b").close(META)
