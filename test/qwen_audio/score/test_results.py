import json

from qwen_audio.score.results import render, write_results


def row(**changed):
    return {
        "model": "pretrain_s", "stage": "pretrain", "task": "asr", "set": "x_test", "lang": "en",
        "metric": "wer", "protocol": "whisper", "score": 0.35, "count": 33, "unit": "fraction",
        "baseline": 1.0, "baseline_name": "empty", "label_origin": "real", "ci95": [0.25, 0.451],
        "malformed": 0, "looped": 2, "missing": 0, "parts": {},
    } | changed  # fmt: skip


def content(*rows, **more):
    return {"rows": list(rows), "command": "./run.sh", "config_hash": "abc", "seconds": 61, **more}


def lines(text, start):
    return [line for line in text.split("\n") if line.startswith(start)]


def test_a_row_shows_score_interval_count_baseline_and_origin():
    (found,) = lines(render(content(row())), "| asr")
    assert found == ("| asr | x_test | en | pretrain_s | wer | whisper | 0.3500 | 0.2500 to 0.4510 | 33 "
                     "| 1.0000 empty | real | 0 | 2 | 0 |")  # fmt: skip


def test_milliseconds_have_two_places_and_what_is_undefined_is_a_dash():
    (found,) = lines(
        render(content(row(task="srwt", metric="aas", unit="ms", score=None, ci95=None, baseline=51.456))),
        "| srwt",
    )
    assert " | – | – | 33 | 51.46 empty |" in found


def test_why_a_metric_is_absent_stands_below_the_table():
    text = render(content(*(row(metric=name, score=None, ci95=None, baseline=None, parts={"absent": "needs jars"})
                            for name in ("spice", "spider"))))  # fmt: skip
    assert lines(text, "**Absent**") == ["**Absent**: spice, spider: needs jars."]


def test_a_shift_of_word_times_shows_the_matched_share():
    (found,) = lines(
        render(content(row(metric="aas", unit="ms", score=30, parts={"matched_share": 0.8}))), "| asr"
    )
    assert "| 30.00 (80% matched) |" in found


def test_rows_are_sorted_by_task_set_language(tmp_path):
    write_results(tmp_path, content(row(task="srwt"), row(lang="fr"), row()))
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [(r["task"], r["lang"]) for r in rows] == [("asr", "en"), ("asr", "fr"), ("srwt", "en")]


def test_markdown_is_made_from_the_json_alone(tmp_path):
    write_results(tmp_path, content(row()))
    saved = json.loads((tmp_path / "results.json").read_text())
    assert (tmp_path / "RESULTS.md").read_text() == render(saved)


def test_constructed_and_synthetic_labels_are_named():
    text = render(
        content(
            row(),
            row(task="srwt", label_origin="constructed"),
            row(task="mna", label_origin="real+synthetic"),
        )
    )
    assert "**Labels are constructed** (made by a rule from real recordings or mixed from them)" in text
    assert "not annotated by people: srwt on x_test." in text
    assert "not annotated by people: mna on x_test." in text
    assert "asr on x_test" not in text


def test_runs_are_a_table_of_whatever_they_say():
    text = render(content(row(), runs=[{"model": "pretrain_s", "hours": 0.4, "steps": 600, "seconds": 3725}]))
    assert "| model | hours | steps | seconds |" in text
    assert "| pretrain_s | 0.4 | 600 | 1:02:05 |" in text


def test_examples_stand_as_they_came_with_line_breaks_shown():
    shown = [
        {
            "task": "asr",
            "model": "m",
            "set": "s",
            "utt": "u",
            "references": ["a | b"],
            "hypothesis": "x\n<|0.00|>",
        }
    ]
    text = render(content(row(), examples=shown))
    assert "    s u\n    ref  a | b\n    hyp  x\\n<|0.00|>\n" in text


def test_a_bar_in_a_table_is_escaped():
    assert "| x\\|y |" in render(content(row(set="x|y")))


def test_the_loss_picture_of_each_model_is_copied_beside_the_results(tmp_path):
    picture = tmp_path / "exp/pretrain_s/loss.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"curves")
    write_results(tmp_path / "a", content(row(), pictures=[picture]))
    assert "](loss_pretrain_s.png)" in (tmp_path / "a/RESULTS.md").read_text()
    assert (tmp_path / "a/loss_pretrain_s.png").read_bytes() == b"curves"


def test_what_no_set_has_is_said_with_public_datasets_that_have_it():
    gap = {"task": "er", "title": "Emotion recognition", "datasets": ["meld", "iemocap"]}
    assert "- er, Emotion recognition: meld, iemocap" in render(content(row(), without_examples=[gap]))
    assert "public datasets" not in render(content(row(), without_examples=[]))


def test_what_was_not_decoded_is_said():
    gap = {"model": "m", "task": "mna", "set": "x", "lang": "en", "count": 7}
    assert "- m: mna en of x, 7 utterances" in render(content(row(), not_decoded=[gap]))


def test_what_was_rejected_before_decoding_is_said():
    rejected = [{"set": "x_test", "what": "utterance", "reason": "too long", "count": 3}]
    assert "- x_test: 3 utterance(s): too long" in render(content(row(), rejected=rejected))
    assert "Rejected" not in render(content(row(), rejected=[]))


def test_what_was_cut_before_decoding_is_said():
    cut = [{"set": "x_test", "what": "utterance", "reason": "cut to 30 s", "count": 3}]
    text = render(content(row(), cut=cut))
    assert "first seconds (`dump/raw/SET/cut.tsv`):\n\n- x_test: 3 utterance(s): cut to 30 s" in text
