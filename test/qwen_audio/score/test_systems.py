import json

import pytest

from qwen_audio.score.systems import gather


def row(model="pretrain_s", **changed):
    return {
        "model": model, "stage": "pretrain", "task": "asr", "set": "x_test", "lang": "en", "metric": "wer",
        "protocol": "whisper", "score": 0.5, "unit": "fraction", "count": 3, "label_origin": "real",
        "missing": 0, "baseline": 1.0, "baseline_name": "empty",
    } | changed  # fmt: skip


def write(folder, *rows, **more):
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"rows": list(rows), **more}))
    return folder


def test_every_results_json_below_the_folders_is_read_once(tmp_path):
    write(tmp_path / "egs/a", row("one"), row("two"), row("one", score=0.25))
    write(tmp_path / "egs/b/exp", row("three"))
    (systems,) = gather([tmp_path / "egs", tmp_path / "egs/a"])
    assert [(s.name, [r["score"] for r in s.rows]) for s in systems] == [
        ("one", [0.5, 0.25]), ("two", [0.5]), ("three", [0.5]),
    ]  # fmt: skip


def test_rows_say_what_of_their_set_was_rejected_and_what_was_cut(tmp_path):
    rejected = [
        {"set": "x_test", "what": "utterance", "reason": "too short", "count": 12},
        {"set": "x_test", "what": "example", "reason": "bad field", "count": 2},
    ]
    cut = [{"set": "x_test", "what": "utterance", "reason": "cut to 30 s", "count": 3}]
    write(tmp_path / "a", row("one"), row("two", set="y_test"), rejected=rejected, cut=cut)
    ((one, two),) = gather([tmp_path / "a"])
    assert one.rows[0]["left_out"] == ["14 not scored", "3 cut to 30 s"]
    assert two.rows[0]["left_out"] == []


def test_models_of_one_name_are_told_apart_by_their_folder_in_all_groups(tmp_path):
    a, b = write(tmp_path / "a", row("m"), row("other")), write(tmp_path / "b", row("m"))
    found = gather([a], [b])
    assert [[system.name for system in group] for group in found] == [[f"m ({a})", "other"], [f"m ({b})"]]


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"empty: no results.json in it or below; stage 8 of a recipe writes one"
    ):
        (tmp_path / "empty").mkdir()
        gather([tmp_path / "empty"])


def test_a_file_on_both_sides_of_a_comparison_is_named(tmp_path):
    folder = write(tmp_path / "a", row())
    with pytest.raises(ValueError, match=r"a/results.json is given on both sides"):
        gather([folder], [tmp_path])


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "no results"),
        ("[]", "no results"),
        ('{"scores": []}', "no results"),
        ('{"rows": [{"model": "m", "score": 1}]}', r"rows\[0\] lacks stage, task, set"),
    ],
)
def test_a_file_that_score_did_not_write_is_named(tmp_path, content, message):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=rf"results.json: {message}.*write it anew"):
        gather([tmp_path])


def test_a_results_json_may_be_named_itself_where_others_lie_below(tmp_path):
    ours, below = write(tmp_path / "a", row("with")), write(tmp_path / "a/without", row("none"))
    found = gather([ours / "results.json"], [below / "results.json"])
    assert [[system.name for system in group] for group in found] == [["with"], ["none"]]
