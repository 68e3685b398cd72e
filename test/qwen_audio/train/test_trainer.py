import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

TEST = Path(__file__).parents[1]
sys.path.insert(0, str(TEST))
from toy_run import ENVIRONMENT, run_on_two_ranks, toy_config, toy_trainer, write_toy_sets

from qwen_audio.data.token_set import TokenSet
from qwen_audio.train import checkpoint
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.log import read_log
from qwen_audio.train.optim import learning_rate


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    return write_toy_sets(tmp_path_factory.mktemp("sets"))


def run(
    folder: Path, sets: Path, dropout: float = 0.1, steps: int = 12, **changes
) -> dict[str, torch.Tensor]:
    """Train in this process; returns all tensors of the last checkpoint."""
    last = toy_trainer(folder, sets, toy_config(steps, **changes), dropout).run()
    return {**load_file(last / "model.safetensors"), **load_file(last / "optimizer.safetensors")}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def losses(folder: Path, **wanted) -> list[tuple[int, float]]:
    rows = read_log(folder / "train_log.jsonl")
    return [
        (row["step"], row["loss"]) for row in rows if bool(row.get("valid")) == wanted.get("valid", False)
    ]


def test_a_run_that_ends_before_its_warm_up_says_so(tmp_path, sets, capsys):
    run(tmp_path / "short", sets, steps=2)
    assert "scheduler_conf.warmup_steps is 2, of 2 steps" in capsys.readouterr().err


def test_a_run_killed_at_any_moment_ends_with_the_weights_of_an_undisturbed_one(tmp_path, sets):
    command = [
        sys.executable,
        str(TEST / "toy_run.py"),
        str(tmp_path / "killed"),
        str(sets),
        "--pause",
        "0.1",
    ]
    process = subprocess.Popen(command, env=ENVIRONMENT)
    while not checkpoints(tmp_path / "killed") and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.25)  # two or three steps beyond the checkpoint of step 4
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert checkpoints(tmp_path / "killed")[-1][0] == 4
    assert_equal(run(tmp_path / "killed", sets), run(tmp_path / "whole", sets))
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def test_two_processes_train_as_one_and_one_goes_on_where_two_stopped(tmp_path, sets):
    done = run_on_two_ranks(TEST / "toy_run.py", tmp_path / "two", sets, "--dropout", 0, "--accum_grad", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("1 thread(s) at the end") == 2
    options = {"dropout": 0.0, "accum_grad": 2}
    one = run(tmp_path / "one", sets, **options)
    for valid in (False, True):
        curve, other = losses(tmp_path / "one", valid=valid), losses(tmp_path / "two", valid=valid)
        assert [step for step, _ in curve] == [step for step, _ in other]
        assert [loss for _, loss in curve] == pytest.approx([loss for _, loss in other], rel=1e-5)
    shutil.rmtree(tmp_path / "two" / "checkpoints" / "step_00000012")
    went_on = run(tmp_path / "two", sets, **options)
    for name, tensor in one.items():
        torch.testing.assert_close(went_on[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_run_goes_on_in_smaller_pieces_of_the_same_batches_to_the_same_weights(tmp_path, sets):
    whole = run(tmp_path / "whole", sets, dropout=0.0)
    run(tmp_path / "split", sets, dropout=0.0)
    shutil.rmtree(tmp_path / "split/checkpoints/step_00000012")
    trainer, rows = toy_trainer(tmp_path / "split", sets, toy_config(12, split_parts=3), 0.0), []
    trainer.valid, forward = None, trainer.model.forward
    trainer.model.forward = lambda **batch: (rows.append(len(batch["text"])), forward(**batch))[1]
    last = trainer.run()
    assert max(rows) == 3 and sum(rows) == sum(
        len(part) for step in range(8, 12) for part in trainer.plan.batch(step)
    )
    went_on = {**load_file(last / "model.safetensors"), **load_file(last / "optimizer.safetensors")}
    assert went_on.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(went_on[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_checkpoint_that_names_keys_which_are_free_by_now_is_gone_on_with(tmp_path, sets):
    run(tmp_path, sets, steps=4)
    state = tmp_path / "checkpoints/step_00000004/state.json"
    found = json.loads(state.read_text())
    found["run"]["config"]["trainer"] = "another"
    state.write_text(json.dumps(found))
    assert toy_trainer(tmp_path, sets, toy_config(4)).start == 4


def test_all_ranks_meet_when_one_has_written_a_checkpoint(tmp_path, sets, monkeypatch):
    """In their own group: another, such as DeepSpeed's, gives up while a large model is written."""
    trainer, calls = toy_trainer(tmp_path, sets, toy_config(2)), []
    write, meet = checkpoint.save, trainer.ranks.first
    monkeypatch.setattr(checkpoint, "save", lambda *args: (calls.append("written"), write(*args)))
    monkeypatch.setattr(trainer.ranks, "first", lambda value: (calls.append("met"), meet(value))[1])
    trainer.run()
    assert calls == ["written", "met"]


def test_a_finished_run_does_nothing_more(tmp_path, sets):
    first = run(tmp_path, sets, steps=4)
    rows = (tmp_path / "train_log.jsonl").read_text()
    assert_equal(run(tmp_path, sets, steps=4), first)
    assert (tmp_path / "train_log.jsonl").read_text() == rows


def test_workers_and_log_rhythm_do_not_change_the_weights(tmp_path, sets):
    free = {"num_workers": 2, "log_steps": 5, "valid_steps": 3, "checkpoint_steps": 5}
    assert_equal(run(tmp_path / "a", sets), run(tmp_path / "b", sets, **free))


def test_the_seed_and_the_dropout_matter(tmp_path, sets):
    one, other = run(tmp_path / "a", sets, steps=4), run(tmp_path / "b", sets, steps=4, seed=1)
    assert not torch.equal(one["embed.weight"], other["embed.weight"])
    none = run(tmp_path / "c", sets, steps=4, dropout=0.0)
    assert not torch.equal(one["embed.weight"], none["embed.weight"])


def test_a_bad_batch_is_skipped_and_counted(tmp_path, sets):
    trainer = toy_trainer(tmp_path, sets, toy_config(12))
    trainer.model.poison = {int(TokenSet(sets / "train").rows[7]["samples"])}
    poisoned = [
        step for step in range(12) if any((part["row"] == 7).any() for part in trainer.plan.batch(step))
    ]
    trainer.run()
    rows = [row for row in read_log(tmp_path / "train_log.jsonl") if not row.get("valid")]
    assert 1 <= len(poisoned) == sum(row["skipped_steps"] for row in rows)
    assert all(row["loss"] is None or row["loss"] < 10 for row in rows)
    last = load_file(checkpoints(tmp_path)[-1][1] / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in last.values())


def test_the_gradient_norm_of_a_row_is_the_mean_of_its_good_steps(tmp_path, sets):
    trainer, norms = toy_trainer(tmp_path, sets, toy_config(12, log_steps=4)), []
    trainer.model.poison = {int(TokenSet(sets / "train").rows[7]["samples"])}
    step = trainer.engine.step
    trainer.engine.step = lambda lr: (norms.append(step(lr)), norms[-1])[1]
    trainer.run()
    rows = [row for row in read_log(tmp_path / "train_log.jsonl") if not row.get("valid")]
    steps = [row["step"] for row in rows]
    assert steps == [4, 6, 8, 12]  # of the validation too, so that no step is lost
    assert sum(row["skipped_steps"] for row in rows) == sum(bool(bad) for _, bad in norms) > 0
    for before, row in zip([0, *steps], rows):
        good = [float(norm) for norm, bad in norms[before : row["step"]] if not bad]
        assert row["grad_norm"] == pytest.approx(sum(good) / len(good))


def test_bad_batches_in_a_row_end_the_run_naming_their_utterances(tmp_path, sets):
    trainer = toy_trainer(tmp_path, sets, toy_config(12, max_bad_steps=3, log_steps=4))
    trainer.model.poison = set(TokenSet(sets / "train").rows["samples"].tolist())
    with pytest.raises(
        ValueError, match=r"4 steps in a row, up to step 3, .*utterances of step 3: utt\d+, utt\d+"
    ):
        trainer.run()


def test_another_configuration_or_other_data_in_the_same_folder_is_refused(tmp_path, sets):
    run(tmp_path / "run", sets, steps=4)
    for changes, change in (
        ({"optim_conf": {"lr": 0.5}}, "config.optim_conf.lr was 0.01 and is now 0.5"),
        ({"accum_grad": 2}, "config.accum_grad was 1 and is now 2"),  # other rows in a batch
        ({"batch_conf": {"max_examples": 4}}, "config.batch_conf.max_examples was 8 and is now 4"),
    ):
        with pytest.raises(ValueError, match=change):
            run(tmp_path / "run", sets, steps=4, **changes)
    other = tmp_path / "other"
    shutil.copytree(sets, other)
    meta = other / "train" / "meta.json"
    meta.write_text(meta.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(ValueError, match="data.0 train was"):
        run(tmp_path / "run", other, steps=4)


def test_bfloat16_follows_float32(tmp_path, sets):
    run(tmp_path / "a", sets, dropout=0.0), run(tmp_path / "b", sets, dropout=0.0, train_dtype="bfloat16")
    one, other = (dict(losses(tmp_path / name)) for name in "ab")
    assert one == pytest.approx(other, rel=0.02) and one != other


def test_the_loss_weights_are_those_of_the_phase(tmp_path, sets):
    trainer, seen = toy_trainer(tmp_path, sets, toy_config(7, valid_steps=100)), []
    forward = trainer.model.forward
    trainer.model.forward = lambda **batch: (seen.append(trainer.model.loss_weights), forward(**batch))[1]
    trainer.run()
    assert seen[:7] == [{"lm": 1.0}] * 3 + [{"lm": 1.0, "ctc": 0.3}] * 4


def test_a_validation_is_logged_with_the_phase_that_it_ends_or_lies_in(tmp_path, sets):
    run(tmp_path, sets, steps=12, valid_steps=3)  # phases of 6 steps each
    rows = [row for row in read_log(tmp_path / "train_log.jsonl") if row.get("valid")]
    assert [(row["step"], row["phase"]) for row in rows] == [(3, 0), (6, 0), (9, 1), (12, 1)]


def test_the_validation_loss_is_the_token_mean_over_the_whole_set(tmp_path, sets):
    trainer = toy_trainer(tmp_path, sets, toy_config(4, phases=[{"steps": 4}]))
    trainer.run()
    data, model, total, tokens = TokenSet(sets / "valid"), trainer.model.eval(), 0.0, 0.0
    for row in range(len(data)):
        entry = trainer.valid.batch(0)[0][:1].copy()
        entry["row"] = row
        with torch.no_grad():
            loss, _, weight = model(**trainer.collate([data], entry))
        total, tokens = total + float(loss * weight), tokens + float(weight)
    ((step, loss),) = losses(tmp_path, valid=True)
    assert step == 4 and loss == pytest.approx(total / tokens, rel=1e-5)


def test_every_step_has_the_rate_of_the_schedule_and_every_part_its_factor(tmp_path, sets):
    trainer = toy_trainer(tmp_path, sets, toy_config(6, lr_scale={"ctc": 3.0}, layer_decay=0.5))
    optimizer, seen = trainer.engine.optimizer, []
    step = optimizer.step

    def watched():
        seen.append({name: group["lr"] for group in optimizer.param_groups for name in group["names"]})
        step()

    optimizer.step = watched
    trainer.run()
    factors = {"ctc.weight": 3.0, "embed.weight": 1.0, "encoder.layers.1.weight": 0.5}
    factors["encoder.layers.0.weight"] = 0.25
    assert len(seen) == 6
    for number, found in enumerate(seen):
        rate = learning_rate(number, 6, trainer.config)
        wanted = {name: factor * rate for name, factor in factors.items()}
        assert {name: found[name] for name in factors} == pytest.approx(wanted)


def test_a_step_trains_on_all_parts_of_its_batch_each_with_random_numbers_of_its_own(tmp_path, sets):
    config = toy_config(6, accum_grad=3, valid_steps=100, batch_conf={"max_examples": 9})
    trainer, rows, seeds = toy_trainer(tmp_path, sets, config), [], []
    trainer.valid, forward = None, trainer.model.forward

    def watched(**batch):
        rows.append(len(batch["text"]))
        seeds.append(torch.initial_seed())
        return forward(**batch)

    trainer.model.forward = watched
    trainer.run()
    assert rows == [len(part) for step in range(6) for part in trainer.plan.batch(step)]
    assert len(set(seeds)) == len(seeds) == 18


def test_bad_steps_in_a_row_are_counted_across_log_points(tmp_path, sets):
    config = toy_config(12, max_bad_steps=5, log_steps=2, checkpoint_steps=100, valid_steps=100)
    trainer = toy_trainer(tmp_path, sets, config)
    trainer.model.poison = set(TokenSet(sets / "train").rows["samples"].tolist())
    with pytest.raises(ValueError, match="6 steps in a row, up to step 5"):
        trainer.run()
