import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from qwen_audio.frontend.log_mel import LogMel, log_mel, mel_filters

LENGTHS = [1, 100, 159, 160, 201, 399, 400, 1600, 16000, 16001, 16041, 16159, 50007]
LONG = [479840, 479999, 480000]


def clip(samples: int, seed: int = 0) -> torch.Tensor:
    """Noise that swells and ends loud, (N,) in ±1."""
    wave = torch.randn(samples, generator=torch.Generator().manual_seed(seed)) * torch.linspace(
        0.001, 0.1, samples
    )
    return wave.clamp(-1, 1)


def whisper(wave: torch.Tensor, n_mels: int = 80) -> torch.Tensor:
    """transformers' features of the clip padded or cut to 30 s: (3000, n_mels)."""
    extract = WhisperFeatureExtractor(feature_size=n_mels)
    return torch.from_numpy(extract(wave.numpy(), sampling_rate=16000).input_features[0]).T


def alone(wave: torch.Tensor, n_mels: int = 80) -> torch.Tensor:
    return log_mel(wave[None], torch.tensor([len(wave)]), n_mels)[0][0]


def test_the_mel_filters_are_brought_to_a_device_once(monkeypatch):
    alone(clip(1600))
    monkeypatch.setattr(torch, "from_numpy", None)
    assert mel_filters(80, torch.device("cpu")) is mel_filters(80, torch.device("cpu"))
    assert mel_filters(80, torch.device("cpu")).shape == (80, 201) and alone(clip(1600)).shape == (10, 80)


@pytest.mark.parametrize("samples", LENGTHS + LONG)
def test_equals_transformers_extractor_on_the_clips_own_frames(samples):
    ours = alone(clip(samples))
    assert len(ours) == max(samples // 160, 1)
    torch.testing.assert_close(ours, whisper(clip(samples))[: len(ours)], atol=1e-5, rtol=0)


def test_equals_transformers_extractor_with_128_channels():
    torch.testing.assert_close(alone(clip(8000), 128), whisper(clip(8000), 128)[:50], atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples", [16000, 16159, 479700, 480000])
@pytest.mark.parametrize("before_end", [1, 20, 60, 150])
def test_a_click_at_the_very_end_sets_the_floor_as_in_whisper(samples, before_end):
    """The loudest frame may be centred past the clip's own frames."""
    wave = clip(samples) * 1e-4
    wave[-before_end] = 1.0
    torch.testing.assert_close(alone(wave), whisper(wave)[: samples // 160], atol=1e-5, rtol=0)


def test_silence_is_whispers_silence():
    torch.testing.assert_close(alone(torch.zeros(3200)), whisper(torch.zeros(3200))[:20], atol=1e-6, rtol=0)


def test_a_clip_over_30_s_ends_in_its_own_reflection():
    """As torch.stft reflects it: the last frame of 31 s equals that of its last 30 s, which is Whisper's."""
    wave = clip(31 * 16000)
    tail = wave[-480000:]
    floor = max(alone(wave).max(), whisper(tail).max()) - 2  # both clamp at their own maximum
    torch.testing.assert_close(
        alone(wave)[-1].clamp(min=floor), whisper(tail)[-1].clamp(min=floor), atol=1e-5, rtol=0
    )


def test_a_clip_gives_the_same_alone_and_in_a_batch():
    clips = [clip(n, seed=i) for i, n in enumerate(LENGTHS)]
    batch = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    features, frames = log_mel(batch, torch.tensor(LENGTHS))
    for wave, row, n in zip(clips, features, frames):
        torch.testing.assert_close(row[:n], alone(wave), atol=1e-6, rtol=0)


def test_a_clip_of_30_s_gives_the_same_in_a_batch_with_a_longer_one():
    waves = [clip(480000), clip(500000, seed=1)]
    features, frames = log_mel(
        torch.nn.utils.rnn.pad_sequence(waves, batch_first=True), torch.tensor([480000, 500000])
    )
    assert frames.tolist() == [3000, 3125]
    torch.testing.assert_close(features[0, :3000], alone(waves[0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(features[1], alone(waves[1]), atol=1e-6, rtol=0)


def test_features_are_zero_past_a_clips_end():
    wave = torch.stack([clip(3200), torch.nn.functional.pad(clip(1700), (0, 1500))])
    features, frames = log_mel(wave, torch.tensor([3200, 1700]))
    assert frames.tolist() == [20, 10] and features.shape == (2, 20, 80)
    assert (features[1, 10:] == 0).all() and (features[1, :10] != 0).any(1).all()


def test_features_of_another_number_of_channels_are_refused():
    features, lengths = torch.zeros(1, 10, 80), torch.tensor([10])
    assert LogMel()(features, lengths)[0] is features
    with pytest.raises(
        ValueError, match="features have 80 mel channels, frontend_conf.n_mels is 128; .* n_mels: 80"
    ):
        LogMel(n_mels=128)(features, lengths)


def test_num_frames_is_what_forward_gives():
    frontend = LogMel()
    for samples in [*LENGTHS, 480000]:
        features, frames = frontend(torch.zeros(1, samples), torch.tensor([samples]))
        assert frontend.num_frames(samples) == frames.item() == features.shape[1]


def test_features_of_stage_1_pass_through():
    features, lengths = torch.randn(2, 7, 80), torch.tensor([7, 3])
    out, out_lengths = LogMel()(features, lengths)
    assert out is features and out_lengths is lengths


def test_sixteen_bit_clips_are_float32_on_the_way_out():
    out, _ = LogMel()(clip(1600)[None].half(), torch.tensor([1600]))
    assert out.dtype == torch.float32 and LogMel(n_mels=128).output_size() == 128
    assert np.isfinite(out.numpy()).all()


@pytest.mark.parametrize("samples", [1, 161, 16041, 50007, 479840, 480000])
def test_padded_to_30_s_equals_transformers_extractor_in_every_frame(samples):
    features, frames = log_mel(clip(samples)[None], torch.tensor([samples]), pad_to=480000)
    assert features.shape[1] == 3000 and frames.tolist() == [max(samples // 160, 1)]
    torch.testing.assert_close(features[0], whisper(clip(samples)), atol=1e-5, rtol=0)


def test_a_padded_clip_gives_the_same_in_a_batch_with_one_over_30_s():
    clips = [clip(479999), clip(500000, seed=1), clip(100)]
    batch = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    features, _ = log_mel(batch, torch.tensor([len(wave) for wave in clips]), pad_to=480000)
    assert features.shape[1] == 6000
    for wave, row in zip(clips, features):
        own, _ = log_mel(wave[None], torch.tensor([len(wave)]), pad_to=480000)
        torch.testing.assert_close(row[: own.shape[1]], own[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("samples", [1, 160, 161, 479999, 480000])
def test_rounded_up_the_frames_are_those_that_transformers_counts(samples):
    extract = WhisperFeatureExtractor()
    theirs = extract(clip(samples).numpy(), sampling_rate=16000, return_attention_mask=True).attention_mask
    frontend = LogMel(round_up=True)
    features, frames = frontend(clip(samples)[None], torch.tensor([samples]))
    assert frames.item() == features.shape[1] == frontend.num_frames(samples) == theirs.sum()
    torch.testing.assert_close(features[0], whisper(clip(samples))[: len(features[0])], atol=1e-5, rtol=0)
