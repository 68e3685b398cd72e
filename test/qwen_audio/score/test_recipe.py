import json
import math

import pytest

from qwen_audio.score.recipe import run_name, score_decoded
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.task_spec import load_tasks


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def exp(tmp_path):
    """A prepared training and test set, and what a model wrote for the test set."""
    words = [[0.0, 0.5, "red"], [0.5, 1.0, "cat"]]
    asr = {"task": "asr", "audio_lang": "en", "text_lang": "en"}
    examples = [
        {"utt": "a", **asr, "text": "red cat"},
        {
            "utt": "a",
            "task": "srwt",
            "audio_lang": "en",
            "text_lang": "en",
            "words": words,
            "label_origin": "synthetic",
        },
        {"utt": "b", **asr, "text": "big dogs"},
        {"utt": "c", "task": "sec", "label": "rain"},
        {"utt": "d", "task": "sec", "label": "dog"},
        {"utt": "e", "task": "mna", "pitch": 60, "velocity": 90, "instrument": "bass"},
    ]
    lang = {"audio_lang": "en", "text_lang": "en"}
    hyps = [
        {"utt": "a", "task": "asr", **lang, "hyp": "red cat", "looped": False},
        {"utt": "b", "task": "asr", **lang, "hyp": "big big big dogs", "looped": True},
        {
            "utt": "a",
            "task": "srwt",
            **lang,
            "hyp": "<|0.00|>red<|0.60|><|0.60|>cat<|1.00|>",
            "looped": False,
        },
        {"utt": "c", "task": "sec", "hyp": "rain"},
        {"utt": "d", "task": "sec", "hyp": "rain"},
    ]
    train = [{"utt": f"t{i}", "task": "sec", "label": x} for i, x in enumerate(["dog", "dog", "rain"])]
    write_rows(tmp_path / "dump/raw/x_test/examples.jsonl", examples)
    (tmp_path / "dump/raw/x_test/utt2num_samples").write_text("a 16000\nb 16000\nc 1\nd 1\ne 1\n")
    write_rows(tmp_path / "dump/raw/x_train/examples.jsonl", train)
    write_rows(tmp_path / "exp/pretrain_s/decode/x_test/hyp.jsonl", hyps)
    return tmp_path


def score(exp, train=("x_train",), **options):
    pair = exp / "exp/pretrain_s/decode/x_test", exp / "dump/raw/x_test"
    labels = TrainLabels.read([exp / "dump/raw" / name for name in train], load_tasks())
    return score_decoded([pair], labels, exp / "results", **options)


def row_of(found, task, metric, protocol=None):
    (row,) = [
        r
        for r in found["rows"]
        if (r["task"], r["metric"]) == (task, metric) and protocol in (None, r["protocol"])
    ]
    return row


def test_every_metric_of_the_task_file_is_a_row_with_its_baseline(exp):
    found = score(exp)
    row = row_of(found, "asr", "wer", "qwen_audio")
    wanted = {"model": "pretrain_s", "stage": "pretrain", "set": "x_test", "lang": "en", "score": 0.5,
              "count": 2, "baseline": 1.0, "baseline_name": "empty", "label_origin": "real",
              "looped": 1, "missing": 0}  # fmt: skip
    assert {key: row[key] for key in wanted} == wanted
    assert row["parts"]["errors"] == 2
    assert row_of(found, "asr", "wer", "whisper")["score"] == 0.5


def test_the_majority_comes_from_the_training_labels(exp):
    row = row_of(score(exp), "sec", "accuracy")
    assert (row["score"], row["baseline"], row["baseline_name"]) == (0.5, 0.5, "majority")


def test_the_constant_sentence_comes_from_training_in_the_same_languages(exp):
    def s2tt(utt, lang, text):
        return {"utt": utt, "task": "s2tt", "audio_lang": "es", "text_lang": lang, "text": text}

    write_rows(exp / "dump/raw/x_test/examples.jsonl", [s2tt("a", "en", "the red cat sleeps")])
    write_rows(exp / "exp/pretrain_s/decode/x_test/hyp.jsonl", [s2tt("a", "en", "") | {"hyp": "a dog"}])
    train = [s2tt("t", "fr", "le chat"), s2tt("u", "fr", "le chat"), s2tt("v", "en", "the red cat sleeps")]
    write_rows(exp / "dump/raw/x_train/examples.jsonl", train)
    row = row_of(score(exp), "s2tt", "bleu")
    assert (row["lang"], row["baseline"], row["baseline_name"]) == ("es-en", pytest.approx(100), "constant")


def test_without_training_labels_the_baseline_is_absent_and_says_so(exp):
    row = row_of(score(exp, train=()), "sec", "accuracy")
    assert (row["baseline"], row["baseline_name"]) == (None, "majority (no training examples given)")


def test_word_times_are_held_against_even_spacing_over_the_clip(exp):
    # 0.1 s at two boundaries over two words; even spacing is exact here
    row = row_of(score(exp), "srwt", "aas")
    assert (row["score"], row["baseline"]) == (pytest.approx(100), pytest.approx(0))
    assert (row["baseline_name"], row["label_origin"]) == ("even_spacing", "synthetic")


def test_a_task_that_was_not_decoded_is_listed(exp):
    assert score(exp)["not_decoded"] == [
        {"model": "pretrain_s", "task": "mna", "set": "x_test", "lang": "en", "count": 1}
    ]


def test_answers_that_are_missing_count_as_empty_and_are_counted(exp):
    hyps = exp / "exp/pretrain_s/decode/x_test/hyp.jsonl"
    left = [line for line in hyps.read_text().splitlines() if '"utt": "d"' not in line]
    hyps.write_text("".join(line + "\n" for line in left))
    row = row_of(score(exp, missing="empty"), "sec", "accuracy")
    assert (row["missing"], row["count"], row["score"]) == (1, 2, 0.5)


def test_what_was_rejected_before_decoding_is_counted_once_a_set(exp):
    assert score(exp)["rejected"] == []
    (exp / "dump/raw/x_test/rejected.tsv").write_text(
        "utterance\tf\ttoo long: 31 s\nexample\tf:asr\ttoo long: 31 s\n"
    )
    pair = exp / "exp/pretrain_s/decode/x_test", exp / "dump/raw/x_test"
    found = score_decoded([pair, pair], TrainLabels.read([], load_tasks()), exp / "results")
    assert found["rejected"] == [{"set": "x_test", "what": "utterance", "reason": "too long", "count": 1}]


def test_what_was_cut_before_decoding_is_counted(exp):
    (exp / "dump/raw/x_test/cut.tsv").write_text("utterance\ta\tcut to 30 s: 31.000 s\n")
    assert score(exp)["cut"] == [{"set": "x_test", "what": "utterance", "reason": "cut to 30 s", "count": 1}]


def test_a_task_that_was_asked_for_but_has_no_examples_is_listed(exp):
    assert score(exp)["without_examples"] == []
    assert score(exp, asked=["asr", "mna", "er"])["without_examples"] == [
        {"task": "er", "title": "Emotion recognition", "datasets": ["meld"]}
    ]


def test_an_unknown_task_that_was_asked_for_is_refused(exp):
    with pytest.raises(ValueError, match="--tasks arsr.* 'asr'"):
        score(exp, asked=["arsr"])


def test_examples_are_shown_as_they_came(exp):
    found = [row for row in score(exp)["examples"] if row["task"] == "sec"]
    assert [(row["utt"], row["references"], row["hypothesis"]) for row in found] == [
        ("c", ["rain"], "rain"),
        ("d", ["dog"], "rain"),
    ]


def test_malformed_answers_are_counted(exp):
    path = exp / "exp/pretrain_s/decode/x_test/hyp.jsonl"
    path.write_text(path.read_text().replace("<|0.00|>red<|0.60|>", "red<|0.60|>"))
    row = row_of(score(exp), "srwt", "aas")
    assert (row["malformed"], row["score"]) == (1, None)


def test_whisper_has_its_own_rows(exp, monkeypatch):
    from qwen_audio.score import whisper_baseline

    def decode(model, dump, out, **how):
        assert how == {"batch_size": 8, "num_threads": 1, "device": "cuda:1"}
        row = {"task": "asr", "audio_lang": "en", "text_lang": "en"}
        write_rows(
            out / "hyp.jsonl",
            [{"utt": "a", "hyp": "Red cat.", **row}, {"utt": "b", "hyp": "Big dogs.", **row}],
        )
        return True

    monkeypatch.setattr(whisper_baseline, "decode_with_whisper", decode)
    rows = [
        row
        for row in score(exp, whisper=["models/whisper-tiny.en"], device="cuda:1")["rows"]
        if row["model"] == "whisper-tiny.en"
    ]
    assert [(row["task"], row["protocol"], row["score"], row["looped"]) for row in rows] == [
        ("asr", "whisper", 0.0, None),
        ("asr", "qwen_audio", 0.5, None),
    ]


def test_run_and_stage_come_from_the_folder(tmp_path):
    assert run_name(tmp_path / "exp/sft_small/decode/x_test") == {"model": "sft_small", "stage": "sft"}
    assert run_name(tmp_path / "exp/mine/decode/x_test") == {"model": "mine", "stage": None}


@pytest.mark.parametrize("confidences, rate, known", [((0.9, 0.2), 0.0, True), ((0.9, None), 0.5, False)])
def test_eer_takes_the_chance_of_the_label_where_all_rows_have_one(exp, confidences, rate, known):
    sv = {"task": "sv", "audio_lang": "en"}
    labels = {"a": "same", "b": "different"}
    hyps = [{"utt": utt, **sv, "hyp": "same"} | ({} if c is None else {"logprob": math.log(c)})
            for utt, c in zip(labels, confidences)]  # fmt: skip
    examples = [{"utt": utt, **sv, "label": label} for utt, label in labels.items()]
    write_rows(exp / "dump/raw/x_test/examples.jsonl", examples)
    write_rows(exp / "exp/pretrain_s/decode/x_test/hyp.jsonl", hyps)
    write_rows(exp / "dump/raw/x_train/examples.jsonl", [{"utt": "t", **sv, "label": "same"}])
    row = row_of(score(exp), "sv", "eer")
    assert (row["score"], row["parts"]["confidence"]) == (pytest.approx(rate), known)
    assert (row["baseline"], row["baseline_name"]) == (pytest.approx(0.5), "majority")


def test_eer_ranks_same_above_different_however_little_either_is_believed(exp):
    sv = {"task": "sv", "audio_lang": "en"}
    chances = {"a": ("same", 0.3), "b": ("same", 0.2), "c": ("different", 0.1), "d": ("different", 0.6)}
    examples = [{"utt": utt, **sv, "label": label} for utt, (label, _) in chances.items()]
    hyps = [{"utt": u, **sv, "hyp": label, "logprob": math.log(c)} for u, (label, c) in chances.items()]
    write_rows(exp / "dump/raw/x_test/examples.jsonl", examples)
    write_rows(exp / "exp/pretrain_s/decode/x_test/hyp.jsonl", hyps)
    assert row_of(score(exp), "sv", "eer")["score"] == 0


def test_a_metric_that_cannot_read_a_language_leaves_the_other_scores(exp):
    music = {"utt": "f", "task": "mc", "text_lang": "zh", "text": "缓慢的钢琴曲"}
    for path, row in (
        (exp / "dump/raw/x_test/examples.jsonl", music),
        (exp / "exp/pretrain_s/decode/x_test/hyp.jsonl", music | {"hyp": "钢琴曲"}),
    ):
        path.write_text(path.read_text() + json.dumps(row) + "\n")
    found = score(exp)
    row = row_of(found, "mc", "meteor")
    assert (row["score"], row["lang"]) == (None, "zh")
    assert row["parts"]["absent"].startswith("meteor knows English only")
    assert row_of(found, "sec", "accuracy")["score"] == 0.5


def test_a_metric_that_this_machine_cannot_compute_is_a_row_without_a_number(tmp_path, monkeypatch):
    monkeypatch.delenv("SPICE_JARS", raising=False)
    caption = {"utt": "a", "task": "aac", "text": "a dog barks"}
    write_rows(tmp_path / "dump/raw/x_test/examples.jsonl", [caption])
    write_rows(tmp_path / "dump/raw/x_train/examples.jsonl", [])
    write_rows(
        tmp_path / "exp/pretrain_s/decode/x_test/hyp.jsonl", [{"utt": "a", "task": "aac", "hyp": "a dog"}]
    )
    found = score(tmp_path)
    row = row_of(found, "aac", "spider")
    assert (row["score"], row["baseline"], row["count"]) == (None, None, 1)
    assert row["parts"]["absent"].startswith("SPICE needs stanford-corenlp")
