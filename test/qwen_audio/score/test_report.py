from pathlib import Path

import pytest

from qwen_audio.score.paper import load_paper
from qwen_audio.score.report import render_report, write_report
from qwen_audio.score.systems import System


@pytest.fixture(scope="module")
def paper():
    return load_paper()


def row(set="librispeech_test_clean", score=0.1234, **changed):
    return {
        "stage": "pretrain", "task": "asr", "set": set, "lang": "en", "metric": "wer",
        "protocol": "qwen_audio", "score": score, "unit": "fraction", "count": 2620, "label_origin": "real",
        "missing": 0, "baseline": 1.0, "baseline_name": "empty", "ci95": None, "parts": {}, "left_out": [],
    } | changed  # fmt: skip


def system(*rows, name="ours_s"):
    return System(name, Path("egs/x/results.json"), list(rows))


def tables(text):
    """Heading -> lines of the table under it, without its head."""
    parts = [part.split("\n") for part in text.split("\n## ")[1:]]
    return {lines[0]: [line for line in lines if line.startswith("|")][2:] for lines in parts}


def dataset(lines, name):
    """The lines of one dataset, cells without the blanks around them."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    first = next(i for i, cells in enumerate(rows) if cells[1].startswith(name))
    rest = [i for i, cells in enumerate(rows) if i > first and cells[1]]
    return rows[first : rest[0] if rest else None]


def test_ours_stands_under_the_paper_and_its_baselines_in_its_unit(paper):
    text = render_report(paper, [system(row(), row("librispeech_test_other", 0.2, count=2939))], [], "x")
    found = dataset(tables(text)["Table 3: beside the paper"], "LibriSpeech")
    assert found == [
        ["asr", "LibriSpeech dev-clean / dev-other / test-clean / test-other", "WER % ↓", "SpeechT5",
         "2.1 / 5.5 / 2.4 / 5.8", ""],
        ["", "", "", "SpeechNet", "– / – / 30.7 / –", ""],
        ["", "", "", "SLM-FT", "– / – / 2.6 / 5.0", ""],
        ["", "", "", "SALMONN", "– / – / 2.1 / 4.9", ""],
        ["", "", "", "Qwen-Audio", "1.8 / 4.0 / 2.0 / 4.2", ""],
        ["", "", "wer (qwen_audio)", "**ours_s**", "absent / absent / 12.3 / 20.0", "– / – / 2620 / 2939"],
    ]  # fmt: skip


def test_a_dataset_without_a_score_of_ours_says_absent_or_closed(paper):
    lines = tables(render_report(paper, [system(row())], [], "x"))["Table 3: beside the paper"]
    assert dataset(lines, "MELD")[-1] == ["", "", "accuracy (strict)", "**ours**", "absent", ""]
    assert dataset(lines, "industrial data")[-1][3:] == ["**ours**", "closed data", ""]


def test_fractions_stay_fractions_where_the_paper_prints_them(paper):
    asked = {"task": "aqa", "metric": "accuracy"}
    ours = system(
        row("clothoaqa_test", 0.43219, protocol="strict", **asked),
        row("clothoaqa_test", 0.6, protocol="binary", count=1000, **asked),
    )
    text = render_report(paper, [ours], [], "x")
    assert "| score | requests |" in text  # a clip is asked several questions
    lines = tables(text)["Table 3: beside the paper"]
    assert dataset(lines, "ClothoAQA")[-1] == [
        "", "", "accuracy (strict) / accuracy (binary)", "**ours_s**", "0.432 / 0.600", "2620 / 1000",
    ]  # fmt: skip


def test_each_model_has_a_line_of_its_own(paper):
    systems = [system(row(), name="a"), system(row(score=0.5), name="b"), system(row("x_test"), name="c")]
    lines = tables(render_report(paper, systems, [], "x"))["Table 3: beside the paper"]
    found = [cells[3:5] for cells in dataset(lines, "LibriSpeech")[5:]]
    assert found == [
        ["**a**", "absent / absent / 12.3 / absent"], ["**b**", "absent / absent / 50.0 / absent"],
    ]  # fmt: skip


def test_what_the_paper_does_not_have_stands_apart_and_nowhere_else(paper):
    ours = system(row(), row("x_test", 0.25, missing=2), row(protocol="whisper", score=0.0625))
    found = tables(render_report(paper, [ours], [], "x"))
    assert found["Other sets"] == [
        "| asr | librispeech_test_clean | en | wer | whisper | ours_s | 0.0625 | 2620 | 0 | 1.0000 empty "
        "| real |",
        "| asr | x_test | en | wer | qwen_audio | ours_s | 0.2500 | 2620 | 2 | 1.0000 empty | real |",
    ]
    assert not any(
        "25" in line or "6.2" in line for line in found["Table 3: beside the paper"] if "ours" in line
    )


def test_what_a_score_leaves_out_stands_beside_it_in_every_table(paper):
    cut = {"left_out": ["2 not scored", "3 cut to 30 s"]}
    without = system(row("x_test", ci95=[0.1, 0.2], **cut), name="no")
    ours = system(row(**cut), row("x_test", **cut), row("y_test", **cut))
    found = tables(render_report(paper, [ours], [without], "x"))
    names = ("Table 3: beside the paper", "Own sets: trained without SRWT and with SRWT", "Other sets")
    three, own, other = ("\n".join(found[name]) for name in names)
    assert "absent / absent / 12.3 (2 not scored, 3 cut to 30 s) / absent" in three
    assert "0.1234 (0.1000 to 0.2000) (2 not scored, 3 cut to 30 s) |" in own
    assert "0.1234 (2 not scored, 3 cut to 30 s) |" in other


def test_no_table_of_other_sets_without_any(paper):
    assert list(tables(render_report(paper, [system(row())], [], "x"))) == ["Table 3: beside the paper"]


def test_two_trainings_make_tables_4_and_5(paper):
    questions = {"task": "mqa", "metric": "accuracy", "protocol": "strict"}
    without = system(row(score=0.0222), row("musicavqa_test", 0.7, **questions), name="no")
    ours = system(row(score=0.0204), row("musicavqa_test", 0.75, **questions), name="yes")
    found = tables(render_report(paper, [ours], [without], "x"))
    assert list(found) == [
        "Table 3: beside the paper",
        "Table 4: trained without SRWT and with SRWT",
        "Table 5: trained without SRWT and with SRWT",
    ]
    four, five = list(found.values())[1:]
    assert [cells[3:5] for cells in dataset(four, "LibriSpeech")] == [
        ["without SRWT", "1.93 / 4.18 / 2.22 / 4.21"],
        ["with SRWT", "1.79 / 4.00 / 2.04 / 4.19"],
        ["**without SRWT: no**", "absent / absent / 2.22 / absent"],
        ["**with SRWT: yes**", "absent / absent / 2.04 / absent"],
    ]
    assert [cells[3:5] for cells in dataset(five, "MusicAVQA")[2:]] == [
        ["**without SRWT: no**", "0.7000"], ["**with SRWT: yes**", "0.7500"],
    ]  # fmt: skip
    assert [cells[3:5] for cells in dataset(five, "ClothoAQA")[2:]] == [
        ["**without SRWT: ours**", "absent"], ["**with SRWT: ours**", "absent"],
    ]  # fmt: skip


def test_a_model_that_was_not_trained_is_neither_with_nor_without(paper):
    whisper = system(row(stage=None), name="whisper")
    found = tables(render_report(paper, [whisper, system(row())], [system(row(), name="no")], "x"))
    assert any("whisper" in line for line in found["Table 3: beside the paper"])
    assert not any("whisper" in line for line in found["Table 4: trained without SRWT and with SRWT"])


def test_no_row_is_lost_whatever_side_it_is_of(paper):
    asked = {"task": "er", "metric": "accuracy", "protocol": "strict"}  # MELD: in table 3 alone
    music = {"task": "mqa", "metric": "accuracy", "protocol": "strict"}  # MusicAVQA: in table 5 alone
    ours = system(row("musicavqa_test", 0.125, stage=None, **music), name="untrained")
    found = tables(render_report(paper, [ours], [system(row("meld_test", 0.5, **asked), name="no")], "x"))
    assert [line.split(" | ")[1:7:2] for line in found["Other sets"]] == [
        ["meld_test", "accuracy", "no"], ["musicavqa_test", "accuracy", "untrained"],
    ]  # fmt: skip


def test_the_report_names_its_command_and_its_files(paper):
    text = render_report(paper, [system(row())], [], "qwen-audio report egs")
    assert "Made by `qwen-audio report egs` from egs/x/results.json.\n" in text


def test_text_and_picture_are_written(tmp_path):
    write_report(tmp_path / "out", [system(row())], [], "x")
    assert (tmp_path / "out/report.md").read_text().startswith("# Report\n")
    assert (tmp_path / "out/report.png").read_bytes().startswith(b"\x89PNG")


def test_two_trainings_stand_side_by_side_on_sets_that_the_paper_does_not_have(paper):
    own, times = {"protocol": "whisper"}, {"task": "srwt", "metric": "aas", "protocol": "sil"}
    whisper = row("x_test", 0.1, stage=None, **own)
    without = [system(row("x_test", 0.3, ci95=[0.2, 0.41], **own), name="no"), system(whisper, name="tiny")]
    ours = [system(row("x_test", 0.25, **own), row("x_test", 60.0, unit="ms", **times), name="yes")]
    found = tables(render_report(paper, [*ours, system(whisper, name="base")], without, "x"))
    name = "Own sets: trained without SRWT and with SRWT"
    assert found[name] == [
        "| asr | x_test | en | wer | whisper | 0.3000 (0.2000 to 0.4100) | 0.2500 | 2620 |"
    ]
    rest = [[cell.strip() for cell in line.split("|")] for line in found["Other sets"]]
    assert [(cells[1], cells[6]) for cells in rest] == [("asr", "base"), ("asr", "tiny"), ("srwt", "yes")]
