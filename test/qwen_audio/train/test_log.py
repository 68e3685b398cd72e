import json

from qwen_audio.train.log import TrainLog, read_log


def row(step, **changes):
    base = {
        "step": step,
        "lr": 1e-4,
        "loss": 2.5,
        "task_loss": {"asr": 2.0, "mic": 3.25},
        "stats": {"acc": None},
        "grad_norm": 0.5,
        "skipped_steps": 0,
        "steps_per_second": 2.0,
    }
    return {**base, **changes}


def test_rows_behind_the_checkpoint_and_a_cut_off_line_are_dropped(tmp_path):
    path = tmp_path / "train_log.jsonl"
    path.write_text("".join(json.dumps(row(step)) + "\n" for step in (2, 4, 6)) + '{"step": 8, "lo')
    log = TrainLog(tmp_path, step=4, total=10, tensorboard=False)
    log.row(row(6, loss=1.0))
    assert [(r["step"], r["loss"]) for r in read_log(path)] == [(2, 2.5), (4, 2.5), (6, 1.0)]


def test_a_line_says_what_a_reader_needs(tmp_path, capsys):
    log = TrainLog(tmp_path, step=0, total=1000, tensorboard=False)
    log.row(row(200))
    log.row(row(1000, valid=True, task_loss={"asr": 1.0}))
    log.row(row(1000, skipped_steps=3, grad_norm=None))
    assert capsys.readouterr().err.splitlines() == [
        "step  200/1000 loss 2.500 asr 2.000 mic 3.250 lr 1.00e-04 grad 0.500 2.00 steps/s 7 min left",
        "step 1000/1000 valid loss 2.500 asr 1.000",
        "step 1000/1000 loss 2.500 asr 2.000 mic 3.250 lr 1.00e-04 grad none 2.00 steps/s SKIPPED 3",
    ]


def test_tensorboard_has_every_number(tmp_path):
    log = TrainLog(tmp_path, step=0, total=10)
    log.row(row(5))
    log.row(row(5, valid=True, phase=1))
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"train/loss", "train/task_loss/mic", "train/lr", "valid/task_loss/asr"} <= set(tags)
    assert "train/stats/acc" not in tags  # it had no value
    assert "valid/phase" not in tags  # it is no measurement
    assert [(e.step, e.value) for e in events.Scalars("train/task_loss/mic")] == [(5, 3.25)]


def test_only_rank_0_speaks(tmp_path, capsys):
    log = TrainLog(tmp_path, step=0, total=10, silent=True)
    log.row(row(5))
    log.say("hello")
    log.close()
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().err == ""
