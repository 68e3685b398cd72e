import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from qwen_audio.adapter.pool_linear import PoolLinear
from qwen_audio.encoder.whisper import Whisper
from qwen_audio.frontend.log_mel import LogMel

LENGTHS = [1, 2, 3, 99, 100, 101, 2999, 3000, 3001, 3002, 3100, 5999, 6000, 6001, 7501]


@pytest.fixture(scope="module")
def encoder(tiny_whisper):
    return Whisper(80, str(tiny_whisper)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def listen(tiny_whisper):
    """Function (waves, **options) -> what frontend and encoder give of each, its own frames."""

    def run(waves, **options):
        encoder, frontend = Whisper(80, str(tiny_whisper), **options).eval(), LogMel()
        frontend.pad_to = encoder.pad_to
        batch = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
        with torch.no_grad():
            out, lengths, _ = encoder(*frontend(batch, torch.tensor([len(wave) for wave in waves])))
        assert (out.shape[1] == lengths.max()).all()
        return [row[:n] for row, n in zip(out, lengths)]

    return run


def noise(samples: int) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(samples)) * 0.1


def mel(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, frames, 80, generator=torch.Generator().manual_seed(seed))


def alone(encoder, features):
    out, lengths, _ = encoder(features, torch.tensor([features.shape[1]]))
    return out[0, : lengths[0]]


def test_at_30_s_equals_transformers_encoder(encoder, tiny_whisper):
    theirs = WhisperModel.from_pretrained(tiny_whisper).encoder.eval()
    with torch.no_grad():
        expected = theirs(mel(3000).transpose(1, 2)).last_hidden_state
    out, lengths, _ = encoder(mel(3000), torch.tensor([3000]))
    assert lengths.tolist() == [1500]
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_padding_never_reaches_a_valid_frame(encoder):
    clips = [mel(n, seed=n) for n in (301, 7, 1, 150)]
    padded = torch.full((4, 301, 80), 0.0)
    for row, features in zip(padded, clips):
        row[: features.shape[1]] = features[0]
    out, lengths, _ = encoder(padded, torch.tensor([301, 7, 1, 150]))
    assert lengths.tolist() == [151, 4, 1, 75]
    for row, n, features in zip(out, lengths, clips):
        torch.testing.assert_close(row[:n], alone(encoder, features), atol=1e-5, rtol=0)
        assert (row[n:] == 0).all()


def test_a_clip_over_30_s_is_encoded_in_windows(encoder):
    features = mel(7501)
    expected = torch.cat([alone(encoder, features[:, at : at + 3000]) for at in (0, 3000, 6000)])
    torch.testing.assert_close(alone(encoder, features), expected, atol=1e-5, rtol=0)


def test_long_and_short_clips_share_a_batch(encoder):
    clips, lengths = [mel(6100), mel(40), mel(3000)], [6100, 40, 3000]
    padded = torch.cat([torch.nn.functional.pad(c, (0, 0, 0, 6100 - c.shape[1])) for c in clips])
    out, out_lengths, _ = encoder(padded, torch.tensor(lengths))
    for row, n, features in zip(out, out_lengths, clips):
        torch.testing.assert_close(row[:n], alone(encoder, features), atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", LENGTHS)
def test_num_frames_is_what_forward_gives(encoder, frames):
    out, lengths, _ = encoder(mel(frames), torch.tensor([frames]))
    assert encoder.num_frames(frames) == lengths.item() == out.shape[1]


@pytest.mark.parametrize(
    "samples", [480, 800, 1599, 1600, 1601, 16000, 16159, 16160, 16320, 123457, 479999, 480000]
)
def test_the_released_length_rule_holds_with_pooling_by_two(encoder, samples):
    """L -> mel = L // 160, T = (mel - 1) // 2 + 1, (T - 2) // 2 + 1 positions; 30 s give 750."""
    mel_frames = samples // 160
    steps = (mel_frames - 1) // 2 + 1
    frames = LogMel().num_frames(samples)
    assert PoolLinear(32, 8, stride=2).num_frames(encoder.num_frames(frames)) == (steps - 2) // 2 + 1


def test_gradients_reach_the_first_convolution(tiny_whisper):
    encoder = Whisper(80, str(tiny_whisper))
    out, _, _ = encoder(mel(20), torch.tensor([20]))
    out.square().sum().backward()
    assert encoder.conv1.weight.grad.abs().sum() > 0


def test_random_weights_have_the_shapes_of_the_pretrained_ones(encoder, tiny_whisper):
    fresh = Whisper(80, str(tiny_whisper), pretrained=False)
    shapes = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    assert {name: tensor.shape for name, tensor in fresh.state_dict().items()} == shapes
    assert not torch.equal(fresh.conv1.weight, encoder.conv1.weight)
    assert fresh.output_size() == 32


def test_another_number_of_mel_channels_names_the_option(tmp_path):
    WhisperConfig(num_mel_bins=128).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match="reads 128 mel channels, the frontend writes 80; set frontend_conf.n_mels: 128"
    ):
        Whisper(80, str(tmp_path))


@pytest.mark.parametrize("samples", [160, 16000, 33333, 480000])
def test_padded_to_30_s_a_clip_equals_transformers_on_the_padded_clip(listen, tiny_whisper, samples):
    theirs = WhisperModel.from_pretrained(tiny_whisper).encoder.eval()
    features = WhisperFeatureExtractor()(noise(samples).numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = theirs(features.input_features).last_hidden_state[0]
    (out,) = listen([noise(samples)], pad_to=30)
    assert len(out) == (samples // 160 + 1) // 2
    torch.testing.assert_close(out, expected[: len(out)], atol=1e-5, rtol=0)


@pytest.mark.parametrize("attend", [True, False])
def test_a_padded_clip_gives_the_same_alone_and_with_longer_ones(listen, attend):
    waves = [noise(n) for n in (5000, 480000 + 7000, 480000, 900)]
    together = listen(waves, pad_to=30, attend_padding=attend)
    for wave, out in zip(waves, together):
        torch.testing.assert_close(
            out, listen([wave], pad_to=30, attend_padding=attend)[0], atol=1e-5, rtol=0
        )


def test_silence_that_only_the_convolutions_hear_moves_the_last_frame_most(listen):
    (bare,), (padded,) = listen([noise(16000)]), listen([noise(16000)], pad_to=30, attend_padding=False)
    moved = (bare - padded).abs().amax(1)
    assert 0 < moved[:-1].max() < moved[-1]


def test_without_the_final_norm_the_rest_of_the_encoder_is_the_same(listen, tiny_whisper):
    norm = Whisper(80, str(tiny_whisper)).layer_norm
    encoder = Whisper(80, str(tiny_whisper), final_norm=False)
    assert not any("layer_norm" in name.split(".")[0] for name, _ in encoder.named_parameters())
    assert encoder.output_size() == 32
    (with_norm,), (without,) = listen([noise(8000)]), listen([noise(8000)], final_norm=False)
    torch.testing.assert_close(norm(without), with_norm, atol=1e-5, rtol=0)


def test_a_window_that_is_not_the_models_names_the_right_one(tiny_whisper):
    with pytest.raises(ValueError, match="encoder_conf.pad_to is 10; write 30, the window of"):
        Whisper(80, str(tiny_whisper), pad_to=10)


def test_features_that_were_not_padded_name_the_way_out(tiny_whisper):
    with pytest.raises(
        ValueError, match=r"have 100 frames; let frontend: log_mel read audio \(--feats_type raw"
    ):
        Whisper(80, str(tiny_whisper), pad_to=30)(mel(100), torch.tensor([100]))


def test_kept_padding_gives_all_frames_of_a_window(whole_whisper):
    """A window of 2 s has 100 frames, whatever of it the clip fills."""
    encoder = Whisper(80, str(whole_whisper), pad_to=2.0, keep_padding=True)
    assert [encoder.num_frames(frames) for frames in (1, 50, 200, 201)] == [100, 100, 100, 200]
    with torch.no_grad():
        out, lengths, _ = encoder(torch.randn(2, 400, 80), torch.tensor([70, 201]))
    assert out.shape[:2] == (2, 200) and lengths.tolist() == [100, 200]
