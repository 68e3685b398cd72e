import argparse
import json

import pytest

from qwen_audio.bin import score


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


def test_decoded_sets_give_results(tmp_path, capsys):
    for name, row in (
        ("dump/x_test/examples.jsonl", {"utt": "a", "task": "sec", "label": "rain"}),
        ("dump/x_train/examples.jsonl", {"utt": "t", "task": "sec", "label": "dog"}),
        ("exp/sft_s/decode/x_test/hyp.jsonl", {"utt": "a", "task": "sec", "hyp": "rain"}),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    about = tmp_path / "about.json"
    about.write_text(
        json.dumps({"model": "sft_s", "config_hash": "abc", "hours": 0.5, "steps": 10, "seconds": 70})
    )
    run("--results", tmp_path / "results", "--train", tmp_path / "dump/x_train", "--about", about,
        "--made_by", "./run.sh",
        "--decoded", f"{tmp_path}/exp/sft_s/decode/x_test:{tmp_path}/dump/x_test")  # fmt: skip
    found = json.loads((tmp_path / "results/results.json").read_text())
    assert [found[k] for k in ("command", "config_hash", "seconds")] == ["./run.sh", "abc", 70]
    assert [(r["score"], r["baseline"]) for r in found["rows"]] == [(1.0, 0.0)]
    text = (tmp_path / "results/RESULTS.md").read_text()
    assert "| sft_s | abc | 0.5 | 10 | 0:01:10 |" in text
    assert "RESULTS.md: scores: 1" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["score", "--results", "a b"], ["--results", "a b"]])
def test_the_command_reads_the_same_from_the_script_and_the_module(words):
    assert score._command(words) == "qwen-audio score --results 'a b'"


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
