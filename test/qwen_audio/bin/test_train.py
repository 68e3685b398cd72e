import pytest
import torch

from qwen_audio.cli import run


@pytest.mark.parametrize("there, asked", [(0, 1), (2, 4)])
def test_more_gpus_than_there_are_end_with_both_numbers_on_one_line(monkeypatch, there, asked):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    argv = ["--config", "c.yaml", "--train", "s", "--output", "o", "--ngpu", str(asked)]
    with pytest.raises(SystemExit) as ended:
        run("train", argv)
    message = str(ended.value)
    assert f"--ngpu {asked}: torch" in message and f"finds {there} GPUs" in message and "\n" not in message
