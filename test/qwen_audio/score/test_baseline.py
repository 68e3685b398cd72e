import pytest

from qwen_audio.score.baseline import baseline_hypotheses, baseline_name, even_spacing, needs_seconds
from qwen_audio.score.registry import compute, metric_name
from qwen_audio.score.train_labels import Common
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
JAVA = {"cider", "meteor", "rouge_l", "spice", "spider"}


def hypotheses(name, task, train, hyps=None, seconds=None):
    common = Common(name, TASKS[task], train) if train else None
    return baseline_hypotheses(name, TASKS[task], common, hyps or {"u": "said"}, seconds or {})


def test_majority_is_the_most_frequent_training_label():
    train = [{"label": label} for label in ("rain", "dog", "dog")]
    assert hypotheses("majority", "sec", train, {"u": "x", "v": "y"}) == {"u": "dog", "v": "dog"}


def test_majority_takes_each_field_of_a_note_on_its_own():
    notes = [(60, 90, "bass"), (61, 90, "keyboard"), (60, 80, "keyboard")]
    train = [dict(zip(("pitch", "velocity", "instrument"), values)) for values in notes]
    text = hypotheses("majority", "mna", train)["u"]
    assert TASKS["mna"].parse(text) == {"pitch": 60, "velocity": 90, "instrument": "keyboard"}


def test_constant_is_the_most_frequent_training_sentence():
    train = [{"text": text} for text in ("one", "two", "two", "three")]
    assert hypotheses("constant", "aac", train) == {"u": "two"}


def test_the_first_in_training_wins_a_tie():
    assert hypotheses("constant", "aac", [{"text": "b"}, {"text": "a"}]) == {"u": "b"}


def test_without_training_examples_there_is_no_majority():
    assert hypotheses("majority", "sec", []) is None


def test_an_error_rate_is_held_against_the_empty_output():
    assert baseline_name(TASKS["srwt"], "wer") == baseline_name(TASKS["asr"], "cer") == "empty"
    assert hypotheses("empty", "asr", []) == {"u": ""}


def test_even_spacing_shares_the_clip_among_the_words_of_the_model():
    text = "<|0.00|>a<|0.10|><|0.30|><|sil|><|0.40|><|1.90|>b<|2.00|>"
    assert even_spacing(text, 3.0) == "<|0.00|>a<|1.50|><|1.50|>b<|3.00|>"


def test_even_spacing_takes_the_words_of_a_malformed_answer():
    assert (
        even_spacing("<|0.00|>a<|0.10|>b c", 60.0)
        == "<|0.00|>a<|20.00|><|20.00|>b<|40.00|><|40.00|>c<|60.00|>"
    )


def test_even_spacing_of_no_word_is_empty():
    assert even_spacing("", 1.0) == ""


def test_even_spacing_uses_the_length_of_each_clip():
    found = hypotheses("even_spacing", "srwt", [], {"u": "<|0.00|>a<|0.10|>"}, {"u": 2.5})
    assert found == {"u": "<|0.00|>a<|2.50|>"}


def test_majority_writes_what_only_some_examples_have_if_half_of_them_do():
    note = {"pitch": 60, "velocity": 90, "instrument": "bass"}
    sonic = note | {"sonic": ["bright", "reverb"]}
    assert hypotheses("majority", "mna", [note, sonic])["u"].endswith("<|sonic|>bright, reverb")
    assert "sonic" not in hypotheses("majority", "mna", [note, note, sonic])["u"]


def test_majority_of_segments_is_one_label_over_the_whole_clip():
    train = [{"segments": [[0, 1, "dog"], [1, 2, "rain"]]}, {"segments": [[0, 3, "rain"]]}]
    found = hypotheses("majority", "sed", train, {"u": "none"}, {"u": 2.5})
    assert found == {"u": "<|0.00|>rain<|2.50|>"}
    assert needs_seconds("majority", TASKS["sed"]) and not needs_seconds("majority", TASKS["sec"])


def test_majority_of_no_segments_is_none():
    assert hypotheses("majority", "sed", [{"segments": []}], {"u": "x"}, {"u": 1.0}) == {"u": "none"}


def test_majority_of_questions_is_the_most_frequent_answer():
    asked = (("A dog?", "yes"), ("How many?", "two"), ("A cat?", "yes"))
    train = [{"question": question, "answer": answer} for question, answer in asked]
    assert hypotheses("majority", "aqa", train) == {"u": "yes"}


@pytest.mark.parametrize("name", ["constant", "majority"])
def test_every_task_has_a_constant_and_a_majority_of_its_own_form(name):
    for spec in TASKS.values():
        common = Common(name, spec, [spec.sample()] * 2)
        written = baseline_hypotheses(name, spec, common, {"u": ""}, {"u": 2.0})["u"]
        assert spec.parse(written) is not None, (spec.name, written)


def test_the_baseline_of_every_task_can_be_scored_with_each_of_its_metrics():
    for spec in TASKS.values():
        row = spec.sample()
        for metric in {metric_name(entry) for entry in spec.metrics} - JAVA:
            name = baseline_name(spec, metric)
            written = baseline_hypotheses(name, spec, Common(name, spec, [row]), {"u": ""}, {"u": 2.0})
            found = compute(metric, {"u": [spec.target_text(row)]}, written)
            assert "score" in found, (spec.name, metric)


@pytest.mark.parametrize("task, metric, best", [("sd", "der", min), ("sed", "sed_segment", max)])
def test_the_baseline_of_a_task_with_segments_is_better_than_silence(task, metric, best):
    spec, row = TASKS[task], {"segments": [[0.0, 1.2, "1"], [1.0, 2.4, "2"]]}
    name = baseline_name(spec, metric)
    written = {side: hypotheses(side, task, [row], {"u": ""}, {"u": 2.5})["u"] for side in (name, "empty")}
    refs = {"u": [spec.target_text(row)]}
    scores = {side: compute(metric, refs, {"u": text})["score"] for side, text in written.items()}
    assert scores[name] == best(scores.values()) != scores["empty"]
