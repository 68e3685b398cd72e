import argparse
import json
import os
import sys

import pytest

from qwen_audio import cli
from qwen_audio.bin import score
from qwen_audio.chat.templates import main_form
from qwen_audio.task_spec import load_tasks


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ref").write_text("a red cat\nb three\n")
    (tmp_path / "hyp").write_text("a red car\nb three\n")
    return ["--ref", str(tmp_path / "ref"), "--hyp", str(tmp_path / "hyp")]


def run(*words):
    parser = argparse.ArgumentParser()
    score.add_arguments(parser)
    score.main(parser.parse_args([str(word) for word in words]))


def test_two_files_give_json(files, capsys):
    run("--metric", "wer", "--json", *files)
    found = json.loads(capsys.readouterr().out)
    assert {k: found[k] for k in ("metric", "protocol", "count", "errors", "words")} == {
        "metric": "wer", "protocol": "qwen_audio", "count": 2, "errors": 1, "words": 3,
    }  # fmt: skip
    assert found["score"] == pytest.approx(1 / 3)


def test_without_json_every_part_has_a_line(files, capsys):
    run("--metric", "wer", "--protocol", "whisper", *files)
    out = capsys.readouterr().out
    assert "metric: wer\nprotocol: whisper\nscore: 0.3333\n" in out
    assert "ci95: 0.0000 to 0.5000" in out


def test_an_utterance_that_was_not_decoded_is_an_error_that_names_it(files, tmp_path):
    (tmp_path / "hyp").write_text("a red cat\n")
    with pytest.raises(ValueError, match=r"1 utterance \(b\) without a hypothesis; .* --missing empty"):
        run("--metric", "wer", *files)


def test_missing_empty_counts_it_as_empty(files, tmp_path, capsys):
    (tmp_path / "hyp").write_text("a red cat\n")
    run("--metric", "wer", "--missing", "empty", "--json", *files)
    found = json.loads(capsys.readouterr().out)
    assert (found["errors"], found["missing"]) == (1, 1)


def test_a_hypothesis_without_reference_is_an_error_or_has_an_empty_one(files, tmp_path, capsys):
    (tmp_path / "hyp").write_text("a red cat\nb three\nz so what\n")
    with pytest.raises(ValueError, match=r"1 utterance \(z\) without a reference"):
        run("--metric", "wer", *files)
    run("--metric", "wer", "--missing", "empty", "--json", *files)
    found = json.loads(capsys.readouterr().out)
    assert (found["errors"], found["insertions"], found["words"]) == (2, 2, 3)
    assert (found["missing"], found["missing_references"]) == (0, 1)


def test_a_metric_may_be_written_as_papers_do(files, capsys):
    run("--metric", "ROUGE-L", "--json", *files)
    assert json.loads(capsys.readouterr().out)["metric"] == "rouge_l"


def test_spice_without_its_jars_is_reported_absent_with_what_it_needs(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SPICE_JARS", "")
    for metric in ("spice", "spider"):
        run("--metric", metric, "--json", "--spice_jars", tmp_path, *files)
        found = json.loads(capsys.readouterr().out)
        assert (found["metric"], found["score"], found["count"]) == (metric, None, 2)
        assert "stanford-corenlp-3.6.0.jar" in found["absent"]


def test_a_language_that_has_no_code_names_the_nearest(files, capsys):
    with pytest.raises(ValueError, match="--lang zh-CN; did you mean 'zh'"):
        run("--metric", "wer", "--lang", "zh-CN", *files)
    for lang, unit in (("zh", "character"), ("unknown", "word")):
        run("--metric", "wer", "--lang", lang, "--json", *files)
        assert json.loads(capsys.readouterr().out)["unit"] == unit


@pytest.mark.parametrize("words", [[], ["--metric", "wer", "--results", "x"]])
def test_one_of_the_two_ways_must_be_chosen(words):
    with pytest.raises(
        ValueError, match="write either --metric NAME --ref FILE --hyp FILE, or --results DIR"
    ):
        run(*words)


def test_a_metric_needs_both_files():
    with pytest.raises(ValueError, match="--metric wer needs --ref FILE and --hyp FILE"):
        run("--metric", "wer")


def test_decoded_needs_a_pair(tmp_path):
    with pytest.raises(ValueError, match="--decoded 'exp/x'; write EXP/decode/SET:DUMP/SET"):
        run("--results", tmp_path, "--decoded", "exp/x")


def test_a_training_set_that_is_scored_is_refused(tmp_path):
    for way in ("--decoded", "--chat"):
        pair = ":".join(["exp/x_test", *(["dump/sft/x_test"] if way == "--chat" else []), "dump/raw/x_test"])
        with pytest.raises(ValueError, match="x_test is scored itself"):
            run("--results", tmp_path, way, pair, "--train", "dump/raw/x_test")


def test_something_must_be_scored(tmp_path):
    with pytest.raises(
        ValueError, match="nothing to score; write --decoded EXP/decode/SET:DUMP/SET or --chat"
    ):
        run("--results", tmp_path)


def test_options_of_the_other_way_are_refused(files, tmp_path):
    with pytest.raises(ValueError, match="--train goes with --results alone"):
        run("--metric", "wer", "--train", tmp_path, *files)
    with pytest.raises(ValueError, match="--protocol goes with --metric alone"):
        run("--results", tmp_path, "--decoded", "a:b", "--protocol", "whisper")


def test_the_jars_of_spice_are_taken_for_decoded_sets_too(decoded, tmp_path, monkeypatch):
    monkeypatch.setenv("SPICE_JARS", "")
    run("--results", tmp_path / "results", "--decoded", decoded, "--spice_jars", tmp_path / "jars")
    assert os.environ["SPICE_JARS"] == str(tmp_path / "jars")


def test_a_chat_model_is_scored_without_decoded_sets(tmp_path):
    form = main_form(load_tasks()["sec"]).name
    row = {"utt": "a", "task": "sec", "label": "rain"}
    facts = {"form": form, "lang": "en", "values": {}, "rows": [row]}
    dialogue = {
        "id": "d",
        "messages": [
            {"role": "user", "content": [{"type": "audio", "audio": "a.wav"}, {"type": "text", "text": "?"}]},
            {"role": "assistant", "content": "The sound event is rain."},
        ],
        **{"source": "template", "task": "sec", "label_origin": "real", "facts": facts},
    }
    for name, line in (
        ("dump/raw/x_test/examples.jsonl", row),
        ("dump/sft/x_test/dialogues.jsonl", dialogue),
        ("exp/sft_s/decode/x_test/answers.jsonl", {"id": "d", "hyp": "The sound event is rain."}),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(json.dumps(line) + "\n")
    places = [tmp_path / part / "x_test" for part in ("exp/sft_s/decode", "dump/sft", "dump/raw")]
    run("--results", tmp_path / "results", "--chat", ":".join(map(str, places)))
    found = json.loads((tmp_path / "results/results.json").read_text())
    assert [(row["model"], row["task"], row["score"]) for row in found["rows"]] == [("sft_s", "sec", 1.0)]


@pytest.fixture
def decoded(tmp_path):
    """A decoded set beside its references and a training set, as --decoded takes it."""
    for name, row in (
        ("dump/x_test/examples.jsonl", {"utt": "a", "task": "sec", "label": "rain"}),
        ("dump/x_train/examples.jsonl", {"utt": "t", "task": "sec", "label": "dog"}),
        ("exp/sft_s/decode/x_test/hyp.jsonl", {"utt": "a", "task": "sec", "hyp": "rain"}),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    return f"{tmp_path}/exp/sft_s/decode/x_test:{tmp_path}/dump/x_test"


def test_decoded_sets_give_results(decoded, tmp_path, capsys):
    about = tmp_path / "about.json"
    about.write_text(
        json.dumps({"model": "sft_s", "config_hash": "abc", "hours": 0.5, "steps": 10, "seconds": 70})
    )
    run("--results", tmp_path / "results", "--train", tmp_path / "dump/x_train", "--about", about,
        "--made_by", "./run.sh", "--decoded", decoded)  # fmt: skip
    found = json.loads((tmp_path / "results/results.json").read_text())
    assert [found[k] for k in ("command", "config_hash", "seconds")] == ["./run.sh", "abc", 70]
    assert [(r["score"], r["baseline"]) for r in found["rows"]] == [(1.0, 0.0)]
    text = (tmp_path / "results/RESULTS.md").read_text()
    assert "| sft_s | abc | 0.5 | 10 | 0:01:10 |" in text
    assert "RESULTS.md: scores: 1" in capsys.readouterr().out


def test_results_name_the_call_that_made_them(decoded, tmp_path, monkeypatch):
    words = ["score", "--results", f"{tmp_path}/my results", "--decoded", str(decoded)]
    monkeypatch.setattr(sys, "argv", ["qwen_audio/__main__.py", *words])
    cli.main()
    found = json.loads((tmp_path / "my results/results.json").read_text())
    assert found["command"] == f"qwen-audio score --results '{tmp_path}/my results' --decoded {decoded}"


@pytest.mark.parametrize(
    "metric, ref, hyp, wanted",
    [
        ("eer", "a same\nb different\n", "a 0.9\nb -3\n", {"score": 0.0, "confidence": True}),
        ("der", "a <|0.00|>1<|4.00|>\n", "a <|0.00|>x<|3.00|>\n", {"score": 0.25, "missed": 1.0}),
        ("sed_event", "a <|0.00|>big dog<|4.00|>\n", "a <|0.10|>big dog<|3.00|>\n", {"score": 1.0}),
        ("aas", "a <|0.00|><|sil|><|0.50|>b<|1.00|>\n", "a <|0.00|><|sil|><|0.60|>b<|1.00|>\n",
         {"aas_ms": 100.0, "aas_boundary_mean_ms": 50.0, "matched": 2, "matched_no_sil": 1}),
        ("choice", "a B\n", "a (b) dog\n", {"score": 1.0}),
    ],
)  # fmt: skip
def test_metrics_of_other_forms_take_the_same_files(metric, ref, hyp, wanted, files, tmp_path, capsys):
    (tmp_path / "ref").write_text(ref)
    (tmp_path / "hyp").write_text(hyp)
    run("--metric", metric, "--json", *files)
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in wanted} == pytest.approx(wanted)
