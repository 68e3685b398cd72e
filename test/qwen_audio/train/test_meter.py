import pytest
import torch

from qwen_audio.train.meter import Meter
from qwen_audio.train.ranks import Ranks


def stats(losses, tokens, **more):
    return {"task_loss_sum": torch.tensor(losses), "task_tokens": torch.tensor(tokens), **more}


def test_means_are_over_tokens_not_over_batches():
    meter = Meter(["asr", "lid", "mic"], Ranks())
    meter.add(
        torch.tensor(2.0), stats([4.0, 2.0, 0.0], [2.0, 1.0, 0.0], acc=torch.tensor([1.0])), torch.tensor(3.0)
    )
    meter.commit()
    meter.add(
        torch.tensor(4.0), stats([4.0, 0.0, 0.0], [1.0, 0.0, 0.0], acc=torch.tensor([0.0])), torch.tensor(1.0)
    )
    meter.commit()
    meter.count(rows=3)
    meter.count(rows=1)
    found = meter.fetch()
    assert found["loss"] == pytest.approx((2 * 3 + 4 * 1) / 4)
    assert found["task_loss"] == pytest.approx({"asr": 8 / 3, "lid": 2.0})  # mic had no token
    assert found["task_tokens"] == {"asr": 3, "lid": 1}
    assert found["stats"] == pytest.approx({"acc": 0.75})
    assert found["host"] == {"rows": 4}


def test_a_statistic_counts_where_it_was_given():
    meter = Meter(["asr"], Ranks())
    meter.add(torch.tensor(1.0), {"ctc": None}, torch.tensor(5.0))
    meter.commit()
    meter.add(torch.tensor(1.0), {"ctc": torch.tensor(7.0)}, torch.tensor(2.0))
    meter.commit()
    assert meter.fetch()["stats"] == {"ctc": 7.0}


def test_a_sum_with_its_count_is_divided_by_that_and_not_by_tokens():
    """300 nats over 100 units of one batch, no transcript in another that has more tokens."""
    meter = Meter(["asr", "mna"], Ranks())
    meter.add(torch.tensor(4.0), {"loss_ctc": torch.tensor([300.0, 100.0])}, torch.tensor(100.0))
    meter.add(torch.tensor(1.0), {"loss_ctc": torch.tensor([0.0, 0.0])}, torch.tensor(300.0))
    meter.commit()
    found = meter.fetch()
    assert (found["loss"], found["stats"]) == (1.75, {"loss_ctc": 3.0})


def test_a_step_that_was_called_off_leaves_no_trace():
    meter = Meter(["asr"], Ranks())
    for loss, bad in ((2.0, 0.0), (float("nan"), 1.0), (4.0, 0.0)):
        meter.add(torch.tensor(loss), {}, torch.tensor(1.0))
        meter.commit(torch.tensor(bad))
    assert meter.fetch()["loss"] == 3.0


def test_nothing_seen_gives_no_loss():
    meter = Meter(["asr"], Ranks())
    assert meter.fetch() == {"loss": None, "task_loss": {}, "task_tokens": {}, "stats": {}, "host": {}}


def test_reset_starts_anew():
    meter = Meter(["asr"], Ranks())
    meter.add(torch.tensor(2.0), {}, torch.tensor(1.0))
    meter.commit()
    meter.reset()
    meter.add(torch.tensor(5.0), {}, torch.tensor(1.0))
    meter.commit()
    assert meter.fetch()["loss"] == 5.0
