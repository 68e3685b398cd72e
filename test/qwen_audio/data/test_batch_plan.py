import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import write_set

from qwen_audio.config import with_all_keys
from qwen_audio.data.batch_plan import BatchPlan, share
from qwen_audio.data.packing import measure
from qwen_audio.data.task_weights import spread
from qwen_audio.data.token_set import TokenSet, task_list
from qwen_audio.data.valid_plan import ValidPlan

ROWS = {"asr": 101, "lid": 40, "aac": 13}


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> list[TokenSet]:
    """Two sets: asr and lid, then lid and aac; clips of 0.5 to 6 s."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("sets")

    def rows(**counts):
        names = [task for task, count in counts.items() for _ in range(count)]
        random.shuffle(names)
        return [(name, int(random.integers(8000, 96000)), 5, int(random.integers(2, 20))) for name in names]

    return [write_set(folder / "one", rows(asr=101, lid=25)), write_set(folder / "two", rows(lid=15, aac=13))]


def frames_of(samples):
    return samples // 640


def make(sets, steps=100, seed=0, budget=None, weights=None, phases=None, **rest):
    phases = phases or [{"steps": steps, "task_weights": weights or {"asr": 2, "lid": 1, "aac": 1}}]
    return BatchPlan(sets, phases, budget or {"max_positions": 1200, "window": 4}, frames_of, seed, **rest)


def listed(batch):
    return [part.tolist() for part in batch]


def drawn(plan, steps):
    """(task, set, row) in the order of steps."""
    for step in steps:
        for part in plan.batch(step):
            for entry in part:
                data = plan.sets[entry["set"]]
                yield data.tasks[data.rows[entry["row"]]["task"]], int(entry["set"]), int(entry["row"])


def test_a_batch_is_the_same_whatever_was_asked_before(sets):
    there, back = make(sets), make(sets)
    forward = [listed(there.batch(step)) for step in range(100)]
    assert [listed(back.batch(step)) for step in reversed(range(100))] == forward[::-1]
    assert listed(make(sets).batch(57)) == forward[57]
    assert [listed(make(sets, seed=1).batch(step)) for step in range(3)] != forward[:3]


def test_a_position_from_a_checkpoint_leads_to_the_same_batches(sets):
    plan, resumed = make(sets), make(sets)
    resumed.seek(plan.position(83))
    assert [listed(resumed.batch(step)) for step in range(83, 100)] == [
        listed(plan.batch(s)) for s in range(83, 100)
    ]
    assert listed(resumed.batch(2)) == listed(plan.batch(2))  # before the position, too


@pytest.mark.parametrize("accum_grad", [1, 3])
def test_within_an_epoch_no_row_is_lost_or_seen_twice(sets, accum_grad):
    plan = make(sets, steps=60, accum_grad=accum_grad)
    seen = {task: [] for task in ROWS}
    for task, *row in drawn(plan, range(60)):
        seen[task].append(tuple(row))
    for task, count in ROWS.items():
        epochs = len(seen[task]) // count
        assert epochs >= 1
        times = Counter(seen[task])
        assert len(times) == count
        assert set(times.values()) <= {epochs, epochs + 1}  # the epoch that the end cuts off


def test_the_first_windows_of_a_task_are_its_first_epoch(sets):
    plan, rows = make(sets, weights={"asr": 1.0}, budget={"max_examples": 8, "window": 4}), []
    for step in range(12):  # three windows of 32 rows
        rows += [row for _, _, row in drawn(plan, [step])]
    assert len(rows) == len(set(rows)) == 96


def test_every_epoch_has_an_order_of_its_own(sets):
    plan = make(sets, weights={"aac": 1.0}, budget={"max_examples": 1, "window": 1})
    rows = [row for _, _, row in drawn(plan, range(3 * 13))]  # one at a time, so in the order drawn
    epochs = [tuple(rows[begin : begin + 13]) for begin in (0, 13, 26)]
    assert len(set(epochs)) == 3 and all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)


def test_no_batch_is_above_the_budget(sets):
    for accum_grad in (1, 2, 4):
        budget = {"max_positions": 1600, "max_seconds": 50, "max_examples": 17, "window": 4}
        plan = make(sets, budget=budget, accum_grad=accum_grad)
        for step in range(100):
            batch = plan.batch(step)
            assert len(batch) == accum_grad
            measured = [plan.measure(part) for part in batch if len(part)]
            assert sum(len(sizes.positions) * sizes.positions.max() for sizes in measured) <= 1600
            assert sum(len(sizes.samples) * sizes.samples.max() for sizes in measured) <= 50 * 16000
            assert sum(map(len, batch)) <= 17


def test_batches_of_a_budget_of_examples_are_full_to_the_end_of_the_phase(sets):
    plan = make(sets, steps=21, budget={"max_examples": 9, "window": 4})
    assert [len(plan.batch(step)[0]) for step in range(21)] == [9] * 21


def test_tasks_are_drawn_by_weight(sets):
    counts = Counter(task for task, *_ in drawn(make(sets, steps=300), range(300)))
    total = sum(counts.values())
    assert {task: counts[task] / total for task in ROWS} == pytest.approx(
        {"asr": 0.5, "lid": 0.25, "aac": 0.25}, abs=0.01
    )


def test_without_weights_a_task_weighs_its_hours_to_the_power_of_one_over_temperature(sets):
    hours = {task: sum(data.counts.get(task, {"samples": 0})["samples"] for data in sets) for task in ROWS}
    for temperature in (1.0, 2.0):
        powers = {task: value ** (1 / temperature) for task, value in hours.items()}
        plan = make(sets, phases=[{"steps": 5}], task_temperature=temperature)
        assert plan.weights(0) == pytest.approx(
            {task: powers[task] / sum(powers.values()) for task in powers}
        )


def test_a_phase_ends_at_its_step_and_its_rows_are_not_lost(sets):
    phases = [{"steps": 7, "task_weights": {"asr": 1}}, {"steps": 9, "task_weights": {"lid": 1}}]
    phases.append({"steps": 40, "task_weights": {"asr": 1, "lid": 1}})
    plan = make(sets, phases=phases)
    assert {task for task, *_ in drawn(plan, range(7))} == {"asr"}
    assert {task for task, *_ in drawn(plan, range(7, 16))} == {"lid"}
    assert (plan.phase(6), plan.phase(7), plan.phase(15), plan.phase(16)) == (0, 1, 1, 2)
    times = Counter(drawn(plan, range(56)))
    for task, count in ROWS.items():
        values = [times[row] for row in times if row[0] == task]
        if values:
            assert len(values) == count and max(values) - min(values) <= 1


def test_the_last_window_of_a_phase_meets_its_end_for_any_length(sets):
    for steps in range(1, 12):
        plan = make(sets, phases=[{"steps": steps, "task_weights": {"asr": 1}}, {"steps": 3}], accum_grad=2)
        assert all(sum(map(len, plan.batch(step))) for step in range(steps + 3))
        with pytest.raises(ValueError, match=f"step {steps + 3} is outside the {steps + 3} steps"):
            plan.batch(steps + 3)


def test_a_window_of_many_batches_leaves_little_padding(sets):
    def padding(window):
        plan = make(sets, budget={"max_examples": 8, "window": window})
        measured = [plan.measure(part).positions for step in range(64) for part in plan.batch(step)]
        return 1 - sum(p.sum() for p in measured) / sum(len(p) * p.max() for p in measured)

    assert padding(16) < 0.1 < 0.3 < padding(1)


def test_the_parts_of_a_batch_are_of_one_length_each_and_span_all(sets):
    plan = make(sets, budget={"max_examples": 24, "window": 4}, accum_grad=4)
    for step in range(8):
        longest = [plan.measure(part).positions.max() for part in plan.batch(step)]
        assert longest == sorted(longest, reverse=True) and longest[0] > 2 * longest[-1]


def test_ranks_share_every_row_of_a_part_once_and_evenly(sets):
    part = make(sets).batch(3)[0]
    shares = [share(part, rank, 3) for rank in range(3)]
    assert sorted(np.concatenate(shares).tolist()) == sorted(part.tolist())
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_only_the_listed_tasks_change_their_speed(sets):
    plan = make(sets, speed_perturb={"factors": [0.9, 1.0, 1.1], "tasks": ["asr"]})
    speeds = {task: Counter() for task in ROWS}
    for step in range(100):
        for entry in plan.batch(step)[0]:
            data = plan.sets[entry["set"]]
            speeds[data.tasks[data.rows[entry["row"]]["task"]]][float(entry["speed"])] += 1
    assert set(speeds["lid"]) == set(speeds["aac"]) == {1.0}
    total = sum(speeds["asr"].values())
    shares = {speed: count / total for speed, count in speeds["asr"].items()}
    assert shares == pytest.approx({0.9: 1 / 3, 1.0: 1 / 3, 1.1: 1 / 3}, abs=0.06)


def test_the_speed_of_what_is_no_task_is_refused_and_of_a_task_without_examples_is_not(sets):
    speeds = {"factors": [0.9, 1.1]}
    make(sets, speed_perturb={**speeds, "tasks": ["lid", "s2tt/en", "template/asr"]})
    with pytest.raises(
        ValueError, match="speed_perturb.tasks has 'asrr': there is no such task; did you mean 'asr'"
    ):
        make(sets, speed_perturb={**speeds, "tasks": ["lid", "asrr"]})


def test_a_task_of_several_languages_shares_its_weight_by_hours():
    hours = {"asr/de": 1.0, "asr/en": 5.0, "asr/fr": 3.0, "lid": 2.0}
    assert spread({"asr": 8, "lid": 1, "asr/en": 2}, hours) == {
        "asr/de": 2,
        "asr/fr": 6,
        "asr/en": 2,
        "lid": 1,
    }


def test_what_no_phase_draws_is_reported(sets):
    assert make(sets, weights={"asr": 1}).describe() == [
        "phase 0 to step 100: asr 100.0% (101 examples)",
        "phase 0 leaves out aac (13 examples), lid (40 examples)",
    ]


def test_a_weight_of_a_task_that_no_set_has_is_left_out_and_said(sets):
    plan = make(sets, weights={"asr": 3, "sec": 4, "s2tt/es-en": 2, "template/srwt": 1, "lid": 1, "mna": 0})
    assert plan.weights(0) == {"asr": 0.75, "lid": 0.25}
    assert plan.describe()[0] == "phase 0: the sets have no examples of sec, s2tt/es-en, template/srwt"


def test_a_phase_of_tasks_that_no_set_has_takes_no_step(sets):
    phases = [
        {"steps": 7, "task_weights": {"sec": 1}},
        {"steps": 9, "task_weights": {"lid": 1, "mna": 1}},
        {"steps": 5, "task_weights": {"mic": 1}},
    ]
    plan = make(sets, phases=phases)
    assert (plan.steps, plan.phase_steps(), plan.phase(0), plan.phase(8)) == (9, [0, 9, 0], 1, 1)
    assert {task for task, *_ in drawn(plan, range(9))} == {"lid"}
    assert plan.describe() == [
        "phase 0: the sets have no examples of sec; it is left out",
        "phase 1: the sets have no examples of mna",
        "phase 2: the sets have no examples of mic; it is left out",
        "phase 1 to step 9: lid 100.0% (40 examples)",
        "phase 1 leaves out aac (13 examples), asr (101 examples)",
    ]


def test_where_no_phase_names_a_task_of_the_sets_the_last_draws_all(sets):
    phases = [{"steps": 7, "task_weights": {"sec": 1}}, {"steps": 9, "task_weights": {"mic": 1}}]
    plan = make(sets, phases=phases)
    assert plan.phase_steps() == [0, 9]
    assert plan.weights(1) == pytest.approx({"asr": 1 / 3, "lid": 1 / 3, "aac": 1 / 3})
    assert "phase 1: the sets have no examples of mic; it draws all tasks alike" in plan.describe()


def test_errors_name_the_key(sets):
    for name, hint in (("lidd", "lid"), ("template/lidd", "lid"), ("tempalte/lid", "template")):
        error = rf"phases\[0\].task_weights.{name}: there is no such task; did you mean '{hint}'.*'aac': 13"
        with pytest.raises(ValueError, match=error):
            make(sets, weights={"asr": 1, name: 1})
    with pytest.raises(ValueError, match=r"phases\[0\].task_weights.asr is -1; write a weight above 0"):
        make(sets, weights={"asr": -1})
    with pytest.raises(ValueError, match=r"phases\[0\].task_weights are all zero"):
        make(sets, weights={"asr": 0})
    with pytest.raises(ValueError, match="utterance utt.* above batch_conf.max_positions of 100"):
        make(sets, budget={"max_positions": 100})


def test_validation_takes_every_row_once_within_the_budget(sets):
    plan = ValidPlan(sets, {"max_positions": 1200}, frames_of)
    batches = [plan.batch(number)[0] for number in range(len(plan))]
    rows = [(int(entry["set"]), int(entry["row"])) for batch in batches for entry in batch]
    assert sorted(rows) == [(number, row) for number, data in enumerate(sets) for row in range(len(data))]
    assert plan.tasks == task_list(sets) == ["aac", "asr", "lid"]
    assert len(batches) < len(rows) / 5
    filled = [len(batch) * measure(sets, batch, frames_of).positions.max() for batch in batches]
    assert max(filled) <= 1200


def test_the_plan_of_a_configuration_has_its_speeds_and_its_temperature(sets):
    speeds = {"factors": [0.9], "tasks": ["asr"]}
    config = with_all_keys({"phases": [{"steps": 40}], "speed_perturb": speeds, "task_temperature": 1e9})
    config["batch_conf"] = {"max_positions": 1200}
    plan = BatchPlan.from_config(sets, config, frames_of)
    assert plan.weights(0) == pytest.approx({"asr": 1 / 3, "lid": 1 / 3, "aac": 1 / 3}, rel=1e-6)
    entries = np.concatenate([part for step in range(40) for part in plan.batch(step)])
    assert set(np.round(entries["speed"], 3).tolist()) == {0.9, 1.0}
