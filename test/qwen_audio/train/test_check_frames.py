import copy

import pytest
import torch

from qwen_audio.train import run
from qwen_audio.train.check_frames import check_frames


@pytest.fixture
def model(tiny_model):
    return tiny_model(adapter="stack_linear", adapter_conf={"stride": 4})


@pytest.mark.parametrize("encoder", ["whisper", "conformer", "e_branchformer"])
@pytest.mark.parametrize("adapter", ["pool_linear", "stack_linear", "conv"])
def test_own_parts_give_the_frames_that_they_say(tiny_model, encoder, adapter):
    check_frames(tiny_model(encoder, adapter), torch.device("cpu"))


def test_silence_that_the_encoder_adds_is_no_frame_too_many(tiny_model, tiny_whisper):
    for more in ({}, {"keep_padding": True}):
        conf = {"model": str(tiny_whisper), "pad_to": 30, **more}
        check_frames(tiny_model(encoder_conf=conf), torch.device("cpu"))


def test_the_model_is_left_as_it_was(model):
    before, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    check_frames(model.train(), torch.device("cpu"))
    assert model.training and torch.equal(drawn, torch.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("count, message", [
    (lambda frames: -(-frames // 4), r"num_frames\(25\) is 7, but forward gives 6 frames of 25"),
    (lambda frames: (frames - 1) // 4, r"num_frames\(24\) is 5, but forward gives 6 frames of 24"),
    (lambda frames: (frames + 1) // 4, r"num_frames\(27\) is 7, but forward gives 6 frames of 27"),
])  # fmt: skip
def test_another_number_of_frames_than_said_is_named_with_both(model, monkeypatch, count, message):
    monkeypatch.setattr(model.adapter, "num_frames", count)
    with pytest.raises(ValueError, match=f"adapter: StackLinear.{message}; both must say the same"):
        check_frames(model, torch.device("cpu"))


@pytest.mark.parametrize("slot, answer, message", [
    ("adapter", lambda frames, lengths: frames, r"adapter: StackLinear.forward must give \(frames, lengths\)"),
    ("encoder", lambda frames, lengths: (frames, lengths),
     r"encoder: Whisper.forward must give \(frames, lengths, None\)"),
    ("adapter", lambda frames, lengths: (frames[:, : frames.shape[1] // 4, :31], lengths // 4),
     "adapter: StackLinear.forward gives frames 31 wide; they must be 32 wide"),
    ("adapter", lambda frames, lengths: (frames[:, :5], lengths // 4), "but forward gives 5 frames of 24"),
])  # fmt: skip
def test_an_answer_of_another_form_is_named(model, monkeypatch, slot, answer, message):
    monkeypatch.setattr(getattr(model, slot), "forward", answer)
    with pytest.raises(ValueError, match=message):
        check_frames(model, torch.device("cpu"))


def test_a_run_begins_with_it(sft_config, dialogues, tmp_path, monkeypatch):
    build = run.build

    def wrong(*args):
        model = build(*args)
        model.encoder.num_frames = lambda frames: frames // 4
        return model

    monkeypatch.setattr(run, "build", wrong)
    with pytest.raises(ValueError, match=r"encoder: Whisper.num_frames\(48\) is 12, but forward gives 24"):
        run.train(sft_config(), [str(dialogues)], [], tmp_path / "run", "cpu")
