import json

import pytest
import torch

from qwen_audio.train import checkpoint
from qwen_audio.train.average import average, select


def save(folder, step, **tensors):
    checkpoint.save(folder, step, tensors, {}, {})


def test_the_average_is_the_mean_in_float32_and_counters_are_the_last(tmp_path):
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(3, 5, generator=generator).bfloat16() for _ in range(3)]
    for step, weight in enumerate(weights, start=1):
        save(tmp_path, step, w=weight, scalar=torch.tensor(float(step)), seen=torch.tensor([step]))
    found = average(select(tmp_path, 3))
    torch.testing.assert_close(found["w"], torch.stack(weights).float().mean(0))
    assert (found["scalar"].item(), found["seen"].tolist()) == (2.0, [3])


def test_the_last_or_those_of_lowest_validation_loss_are_chosen(tmp_path):
    for step in (10, 20, 30, 40):
        save(tmp_path, step, w=torch.zeros(1))
    valid = {10: 1.0, 20: 3.0, 30: 2.0}
    rows = [{"step": step, "valid": True, "loss": loss} for step, loss in valid.items()]
    rows += [{"step": 40, "loss": 0.1}]  # a training loss does not count
    (tmp_path / "train_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def steps(count, by):
        return [int(path.name[5:]) for path in select(tmp_path, count, by)]

    assert steps(2, "last") == [30, 40]
    assert steps(9, "last") == [10, 20, 30, 40]
    assert steps(2, "valid") == [10, 30]


def test_validations_of_an_earlier_phase_do_not_count(tmp_path):
    """Their loss is another: a warm-up with CTC alone may have the smaller one, and a worse model."""
    for step in (10, 20, 30, 40):
        save(tmp_path, step, w=torch.zeros(1))
    rows = [
        {"step": step, "valid": True, "phase": phase, "loss": loss}
        for step, phase, loss in ((10, 0, 0.1), (20, 0, 0.2), (30, 2, 3.0), (40, 2, 2.0))
    ]
    (tmp_path / "train_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [int(path.name[5:]) for path in select(tmp_path, 1, "valid")] == [40]
    assert [int(path.name[5:]) for path in select(tmp_path, 3, "valid")] == [30, 40]


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"has no checkpoint; train first \(stage 4\)"):
        select(tmp_path, 3)
    with pytest.raises(ValueError, match="chosen by 'best'; write last or valid"):
        select(tmp_path, 3, "best")
    save(tmp_path, 1, w=torch.zeros(1))
    save(tmp_path, 2, w=torch.zeros(2))
    with pytest.raises(ValueError, match=r"step_00000002 and .*step_00000001 differ in \['w'\]"):
        average(select(tmp_path, 2))
    with pytest.raises(ValueError, match="checkpoint of the last phase with a validation at its step"):
        select(tmp_path, 2, "valid")
