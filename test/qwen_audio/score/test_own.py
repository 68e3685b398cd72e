import json
import sys

import pytest
import yaml

from qwen_audio.cli import run
from qwen_audio.score.own import own_metric
from qwen_audio.score.recipe import score_decoded
from qwen_audio.score.registry import compute, metric_of, try_own
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.task_spec import TASKS_DIR, load_tasks

MODULE = """
from qwen_audio.score.registry import Absent
number = 5
def exact(refs, hyps, protocol, lang):
    return {"score": sum(hyps[key] in refs[key] for key in refs) / len(refs), "told": [protocol, lang]}
def short(refs, hyps):
    return {"score": 1.0}
def gives(answer):
    return lambda refs, hyps, protocol, lang: answer
nothing, no_score, text, nan = gives(None), gives({"scor": 1}), gives({"score": "high"}), gives({"score": float("nan")})
interval, an_object = gives({"score": 1.0, "ci95": "wide"}), gives({"score": 1.0, "by": {1, 2}})
def fails(refs, hyps, protocol, lang):
    return refs["other"]
def absent(refs, hyps, protocol, lang):
    raise Absent("needs a program")
class Letters:
    protocols, unit = ("all", "vowels"), "points"
    made = 0
    def __init__(self):
        Letters.made += 1
    def __call__(self, refs, hyps, protocol, lang):
        letters = "aeiou" if protocol == "vowels" else "abcdefghijklmnopqrstuvwxyz"
        return {"score": sum(letter in letters for text in hyps.values() for letter in text)}
class Needy(Letters):
    def __init__(self, size): ...
class Silent:
    pass
class Unnamed(Letters):
    protocols = "all"
class Litres(Letters):
    unit = "l"
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """The module ``their_metrics``, and a folder to work in."""
    (tmp_path / "their_metrics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("their_metrics", None)
    own_metric.cache_clear()


def write_task(folder, metric):
    content = yaml.safe_load((TASKS_DIR / "sec.yaml").read_text())
    folder.mkdir(exist_ok=True)
    content |= {"name": "rain", "metrics": [{"metric": "accuracy"}, {"metric": metric}], "chat": {}}
    (folder / "rain.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_a_function_is_called_as_a_metric_of_the_package_is():
    found = compute("their_metrics:exact", {"a": ["x", "y"], "b": ["x"]}, {"a": "y", "b": "y"}, lang="de")
    assert found == {
        "metric": "their_metrics:exact", "protocol": "own", "score": 0.5, "count": 2, "told": ["own", "de"],
    }  # fmt: skip


def test_a_class_is_made_once_and_says_its_protocols_and_its_unit():
    metric = metric_of("their_metrics:Letters")
    assert (metric.protocols, metric.unit) == (("all", "vowels"), "points")
    assert [
        compute(metric.function, {"a": [""]}, {"a": "abc"}, told)["score"] for told in (None, "vowels")
    ] == [3, 1]
    assert sys.modules["their_metrics"].Letters.made == 1
    with pytest.raises(
        ValueError, match="'vowel' is unknown to their_metrics:Letters; write one of all, vowels"
    ):
        compute(metric.function, {"a": [""]}, {"a": "abc"}, "vowel")


@pytest.mark.parametrize("name, message", [
    ("their_metric:exact", r"cannot be imported \(No module named 'their_metric'\); .* put its folder on PYTHONPATH"),
    ("their_metrics:exat", "cannot be imported .*'exat'.*; write module:function or module:Class"),
    ("their_metrics:short", r"must take \(refs, hyps, protocol, lang\): too many positional arguments"),
    ("their_metrics:number", r"must take \(refs, hyps, protocol, lang\): 5 is not a callable object"),
    ("their_metrics:Silent", r"must take \(refs, hyps, protocol, lang\): .* is not a callable object"),
    ("their_metrics:Needy", "must be made without arguments: missing a required argument: 'size'"),
    ("their_metrics:Unnamed", r"protocols is 'all'; write names, such as \('strict', 'lenient'\)"),
    ("their_metrics:Litres", r"unit is 'l'.* \(valid: fraction, ms, points\)"),
])  # fmt: skip
def test_one_that_cannot_be_called_is_refused_with_the_task_file_and_its_entry(tmp_path, name, message):
    with pytest.raises(
        ValueError, match=rf"^{tmp_path}/tasks/rain.yaml: metrics\[1\]: metric '{name}'.* {message}"
    ):
        load_tasks(write_task(tmp_path / "tasks", name))


def test_a_field_goes_with_metrics_of_the_package(tmp_path):
    path = write_task(tmp_path / "tasks", "their_metrics:exact") / "rain.yaml"
    path.write_text(path.read_text().replace("metric: their", "field: pitch\n  metric: their"))
    with pytest.raises(
        ValueError, match=r"rain.yaml: metrics\[1\].field goes with the metrics of qwen_audio/score"
    ):
        load_tasks(tmp_path / "tasks")


FAULTS = [
    ("nothing", "gives None; it must give a dict with a score"),
    ("no_score", "gives {'scor': 1}; it must give a dict with a score"),
    ("text", "its score must be a number, or None where it is undefined"),
    ("nan", "its score must be a number"),
    ("interval", r"its ci95 must be \[low, high\], or None"),
    ("an_object", r"which JSON cannot hold .*; give plain numbers, texts and lists"),
]


@pytest.mark.parametrize("name, message", FAULTS)
def test_an_answer_that_is_no_result_is_refused(name, message):
    with pytest.raises(ValueError, match=f"^metric 'their_metrics:{name}' .*{message}"):
        compute(f"their_metrics:{name}", {"a": ["x"]}, {"a": "x"})


@pytest.mark.parametrize("name, message", [
    *FAULTS, ("fails", "fails on the task's example: KeyError: 'other'; --debug shows where"),
])  # fmt: skip
def test_decoding_ends_before_the_model_is_read_where_a_metric_does_not_score_the_example(
    tmp_path, name, message
):
    write_task(tmp_path / "tasks", f"their_metrics:{name}")
    with pytest.raises(SystemExit, match=rf"decode: tasks/rain.yaml: metrics\[1\]: metric .*{message}"):
        run("decode", ["--model", "nowhere", "--sets", "nothing", "--output", "out"])


@pytest.mark.parametrize("name", ["exact", "Letters", "absent"])
def test_what_scores_or_says_what_it_lacks_passes_the_trial(tmp_path, name):
    try_own(load_tasks(write_task(tmp_path / "tasks", f"their_metrics:{name}")).values())


def test_a_decoded_set_is_scored_by_it_beside_the_baseline(tmp_path):
    write_task(tmp_path / "tasks", "their_metrics:Letters")
    decoded, dump = tmp_path / "exp/pretrain_s/decode/x_test", tmp_path / "dump/raw/x_test"
    for folder, row in ((decoded, {"hyp": "dog"}), (dump, {"label": "dog"})):
        folder.mkdir(parents=True)
        (folder / ("hyp.jsonl" if "hyp" in row else "examples.jsonl")).write_text(
            json.dumps({"utt": "a", "task": "rain", **row}) + "\n"
        )
    labels = TrainLabels(load_tasks())
    labels.add({"utt": "t", "task": "rain", "label": "rain"})
    _, row = score_decoded([(decoded, dump)], labels, tmp_path / "results")["rows"]
    wanted = {
        "metric": "their_metrics:Letters",
        "protocol": "all",
        "unit": "points",
        "score": 3,
        "baseline": 4,
    }
    assert {key: row[key] for key in wanted} == wanted


def test_two_files_are_scored_by_it(tmp_path, capsys):
    (tmp_path / "text").write_text("a red\n")
    run(
        "score",
        ["--metric", "their_metrics:Letters", "--protocol", "vowels", "--ref", "text", "--hyp", "text"],
    )
    assert "metric: their_metrics:Letters\nprotocol: vowels\nscore: 1\n" in capsys.readouterr().out
