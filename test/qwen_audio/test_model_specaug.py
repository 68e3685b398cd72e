"""SpecAugment inside of the model."""

import pytest
import torch

ROWS = [  # samples, question, answer, task, transcript
    (8000, "", "a dog barks", 0, "dog"),
    (4800, "what is it", "bell", 2, ""),
    (16100, "", "the quick brown fox", 0, "the quick brown fox"),
]


class Elsewhere(torch.Tensor):
    """A tensor that takes itself to be on another device."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_specaug_acts_in_training_alone(tiny_model, make_batch):
    masks = {"apply_time_warp": False, "num_freq_mask": 2, "num_time_mask": 2,
             "freq_mask_width_range": [5, 20], "time_mask_width_range": [5, 10]}  # fmt: skip
    plain, masked = tiny_model(), tiny_model(specaug="specaug", specaug_conf=masks)
    batch = make_batch(ROWS)
    torch.testing.assert_close(masked.eval()(**batch)[0], plain.eval()(**batch)[0])
    torch.manual_seed(0)
    assert not torch.allclose(masked.train()(**batch)[0], plain.train()(**batch)[0])


@pytest.mark.parametrize("rows", [ROWS[:3], ROWS[:1] * 2], ids=["other lengths", "same length"])
def test_specaug_takes_a_padded_clip_as_one_without_silence_and_leaves_the_silence(
    tiny_model, parts, make_batch, rows
):
    plain, batch = parts["encoder"]["whisper"]["encoder_conf"], make_batch(rows)
    augment = {"specaug": "specaug", "specaug_conf": {"time_warp_window": 5, "time_mask_width_range": [3, 5]}}
    heard = {}
    for name, changes in {
        "silence": {"encoder_conf": {**plain, "pad_to": 30.0}},
        "padded": {"encoder_conf": {**plain, "pad_to": 30.0}, **augment},
        "alone": augment,
    }.items():
        model = tiny_model(**changes)
        model.encoder.register_forward_pre_hook(lambda _, args, name=name: heard.update({name: args}))
        torch.manual_seed(1)
        model.hear(batch["speech"], batch["speech_lengths"])
    (silence, _), (padded, lengths), (alone, _) = (heard[name] for name in ("silence", "padded", "alone"))
    assert padded.shape == (len(rows), 3000, 80)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(padded[row, :length], alone[row, :length])
        assert not torch.equal(padded[row, :length], silence[row, :length])
        assert torch.equal(padded[row, length:], silence[row, length:])


def test_time_warp_finds_the_lengths_of_clips_on_the_cpu(tiny_model, make_batch):
    """It reads them one by one, each of which a GPU would be waited for."""
    model = tiny_model(
        specaug="specaug", specaug_conf={"time_warp_window": 5, "time_mask_width_range": [0, 5]}
    )
    batch, seen = make_batch(ROWS), []
    model.specaug.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    lengths = batch["speech_lengths"].as_subclass(Elsewhere)
    _, kept = model.hear(batch["speech"], lengths)
    assert type(seen[0]) is torch.Tensor and type(kept) is Elsewhere
