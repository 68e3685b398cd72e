import pytest
import torch

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.frontend.log_mel import log_mel
from qwen_audio.timestamp.silence import find_pause, silent_frames

HOP = 320  # samples of a frame


def clip():
    """A second of noise, silent from 0.4 to 0.6 s but for noise 60 dB below."""
    wave = torch.randn(16000, generator=torch.Generator().manual_seed(0)) * 0.1
    wave[6400:9600] *= 1e-3
    return wave


def test_frames_far_below_the_loud_ones_are_silent():
    assert silent_frames(clip(), HOP).nonzero()[:, 0].tolist() == list(range(20, 30))


def test_features_tell_the_same_but_for_their_longer_windows():
    features, frames = log_mel(clip()[None], torch.tensor([16000]))
    found = silent_frames(features[0, : int(frames[0])], HOP).nonzero()[:, 0].tolist()
    assert found == pytest.approx(list(range(found[0], found[-1] + 1)))
    assert 20 <= found[0] <= 21 and 28 <= found[-1] <= 29


def test_in_a_noisy_clip_nothing_is_silent():
    assert not silent_frames(clip() + 0.05 * torch.randn(16000), HOP).any()


@pytest.mark.parametrize("more", [0, 1, 100, 160, 319])
def test_silence_is_where_it_is_also_in_a_clip_that_fills_no_whole_number_of_frames(more):
    wave = torch.randn(27 * SAMPLE_RATE + more, generator=torch.Generator().manual_seed(0)) * 0.1
    wave[26 * SAMPLE_RATE : 26 * SAMPLE_RATE + 8000] = 0.0
    found = silent_frames(wave, HOP)
    assert len(found) == 1350 + (more > 0) and found.nonzero()[:, 0].tolist() == list(range(1300, 1325))


def test_a_clip_without_samples_has_no_silent_frames():
    assert silent_frames(torch.zeros(0), HOP).tolist() == []


@pytest.mark.parametrize(
    "flags, pause",
    [
        ("", (0, 0)),
        ("..", (0, 0)),
        (".xx.xxx", (4, 7)),  # none is long: the longest
        ("xx.x", (0, 2)),
        ("xxxx.xxxxx.xxxxxx", (0, 17)),  # from the first that is long to the last
        ("xx.xxxx.xxxxx..xxxx.x", (3, 19)),
        (".xxxx.", (1, 5)),
    ],
)
def test_a_pause_reaches_over_all_long_silences_or_is_the_longest(flags, pause):
    assert find_pause([flag == "x" for flag in flags], 4) == pause
