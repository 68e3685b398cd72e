import torch
from safetensors.torch import load_file

from qwen_audio.train.average import average
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.log import read_log
from qwen_audio.train.run import finish, train


def test_stage_5_averages_as_many_checkpoints_as_the_configuration_says(sft_config, dialogues, tmp_path):
    run = tmp_path / "exp/sft_tiny"
    train(sft_config(average_checkpoints=2), [str(dialogues)], [], run, "cpu")
    assert len(finish(run, 1)) == 1 and len(finish(run)) == 2
    wanted = average([folder for _, folder in checkpoints(run)[-2:]])
    last = load_file(checkpoints(run)[-1][1] / "model.safetensors")
    assert any(not torch.equal(wanted[name], last[name]) for name in last)
    written = load_file(run / "model.safetensors")
    compared = written.keys() & wanted.keys()
    assert compared and all(torch.equal(written[name], wanted[name]) for name in compared)


def test_without_validation_sets_nothing_is_validated(sft_config, dialogues, tmp_path):
    train(sft_config(), [str(dialogues)], [], tmp_path / "run", "cpu")
    assert not any(row.get("valid") for row in read_log(tmp_path / "run/train_log.jsonl"))
