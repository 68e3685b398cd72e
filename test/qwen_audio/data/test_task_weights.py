import pytest

from qwen_audio.data.task_weights import leave_out, spread


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
