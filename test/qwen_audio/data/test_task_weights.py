import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import write_set

from qwen_audio.config import load_config
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.task_weights import leave_out, spread, trained_tasks

ROOT = Path(__file__).parents[3]
CONFIGS = [path for name in ("pretrain*", "sft") for path in ROOT.glob(f"egs/*/conf/{name}.yaml")]


def test_a_task_is_left_out_of_every_phase_in_all_its_languages():
    phases = [
        {"steps": 1, "task_weights": {"asr/en": 3, "srwt": 1}},
        {"steps": 2, "task_weights": {"srwt/zh": 1, "lid": 2}},
    ]
    assert leave_out(phases, ["srwt"]) == [
        {"steps": 1, "task_weights": {"asr/en": 3}},
        {"steps": 2, "task_weights": {"lid": 2}},
    ]
    assert phases[0]["task_weights"] == {"asr/en": 3, "srwt": 1}


def test_a_phase_that_weighs_by_hours_stays_as_it_is():
    assert leave_out([{"steps": 1}], ["srwt"]) == [{"steps": 1}]


def test_a_phase_that_trains_nothing_else_is_named():
    with pytest.raises(ValueError, match=r"phases\[1\].task_weights has only srwt"):
        leave_out([{"steps": 1}, {"steps": 1, "task_weights": {"srwt": 1}}], ["srwt"])


def test_a_task_of_the_sets_that_no_phase_weighs_is_an_error_and_one_weighed_by_0_is_not_trained():
    counts, shares = (
        {"aac": 3, "asr/en": 5, "er": 6, "srwt/de": 2},
        [{"asr/en": 1.0}, {"aac": 0.5, "asr/en": 0.5}],
    )
    phases = [{"task_weights": {"asr": 1}}, {"task_weights": {"aac": 1, "asr/en": 1, "srwt/en": 2}}]
    with pytest.raises(
        ValueError,
        match=r"no phase draws: er 6, srwt/de 2; weigh them in phases\[1\].task_weights, by 0 to leave",
    ):
        trained_tasks(phases, shares, counts)
    phases[1]["task_weights"] |= {"er": 0, "srwt": 0}
    assert trained_tasks(phases, shares, counts) == ["aac", "asr/en"]
    assert trained_tasks([{}], [dict.fromkeys(counts, 0.25)], counts) == list(counts)


def test_a_weight_covers_what_no_nearer_name_covers():
    hours = {
        "template/asr/en": 3.0,
        "template/asr/zh": 1.0,
        "template/asr/fr": 1.0,
        "template/lid": 2.0,
        "joined": 4.0,
    }
    given = {"template": 8, "template/asr": 4, "template/asr/zh": 0.5, "joined": 5}
    assert spread(given, hours) == {
        "template/lid": 8, "template/asr/en": 3, "template/asr/fr": 1, "template/asr/zh": 0.5, "joined": 5,
    }  # fmt: skip


def test_a_weight_is_shared_by_what_has_the_very_name_and_what_it_covers():
    hours = {"template": 2.0, "template/asr/en": 5.0, "template/lid": 6.0, "joined": 4.0, "text": 0.0}
    given = {"template": 4, "template/asr": 5, "joined": 3, "text": 1}
    assert spread(given, hours) == {
        "template": 1, "template/lid": 3, "template/asr/en": 5, "joined": 3, "text": 1,
    }  # fmt: skip


def test_ones_own_dialogues_are_tuned_on_beside_those_made_of_the_labels(tmp_path):
    labels = ["template/asr/en", "template/lid", "template/mic", "joined", "text"]
    made = write_set(tmp_path / "made", [(task, 32000, 5, 9) for task in labels for _ in range(9)])
    mine = write_set(tmp_path / "mine", [("template", 32000, 5, 9) for _ in range(9)])
    config = load_config(
        ROOT / "egs/multitask/conf/sft.yaml", ["encoder_conf.model=none", "decoder_conf.model=none"]
    )
    plan = BatchPlan.from_config([made, mine], config, lambda samples: samples // 1280)
    assert set(plan.weights(0)) == {"template", *labels}
    assert plan.weights(0)["template"] == pytest.approx(plan.weights(0)["template/lid"])  # of equal hours
    entries = [entry for step in range(60) for part in plan.batch(step) for entry in part]
    drawn = {plan.sets[e["set"]].tasks[plan.sets[e["set"]].rows[e["row"]]["task"]] for e in entries}
    assert drawn == {"template", *labels}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_configuration_trains_on_a_plain_english_kaldi_directory(tmp_path, path):
    spoken = ["template/asr/en", "joined", "text"] if path.stem == "sft" else ["asr/en"]
    data = write_set(tmp_path / "my_train", [(task, 32000, 5, 9) for task in spoken for _ in range(9)])
    config = load_config(path, ["encoder_conf.model=none", "decoder_conf.model=none"])
    plan = BatchPlan.from_config([data], config, lambda samples: samples // 1280)
    drawn = {task for phase, steps in enumerate(plan.phase_steps()) if steps for task in plan.weights(phase)}
    assert spoken[0] in drawn and drawn <= set(spoken) and set(plan.trained()) == drawn
    assert sum(map(len, plan.batch(0))) > 0


def test_the_names_of_the_multitask_recipe_mean_what_is_there_of_them(tmp_path):
    config = load_config(ROOT / "egs/multitask/conf/pretrain.yaml")
    data = write_set(tmp_path / "two", [(task, 32000, 5, 9) for task in ("asr/en", "asr/fr")])
    plan = BatchPlan.from_config([data], config, lambda samples: samples // 1280)
    assert plan.weights(0) == pytest.approx({"asr/en": 3 / 5, "asr/fr": 2 / 5})
    data = write_set(tmp_path / "one", [("asr/en", 32000, 5, 9)])
    plan = BatchPlan.from_config([data], config, lambda samples: samples // 1280)
    assert (plan.weights(0), plan.phase_steps()) == ({"asr/en": 1.0}, [640, 1500])
    assert plan.describe()[0] == "phase 0: the sets have no examples of other asr, asr/zh"
