import pytest
import torch

from qwen_audio.encoder.espnet import Conformer, EBranchformer

SMALL = {"output_size": 16, "attention_heads": 2, "linear_units": 32, "num_blocks": 1, "dropout_rate": 0.0,
         "positional_dropout_rate": 0.0, "attention_dropout_rate": 0.0}  # fmt: skip
BUILD = {
    "conformer": lambda **conf: Conformer(80, **{**SMALL, "cnn_module_kernel": 7, **conf}),
    "e_branchformer": lambda **conf: EBranchformer(
        80, **{**SMALL, "cgmlp_linear_units": 32, "cgmlp_conv_kernel": 7, **conf}
    ),
}


@pytest.fixture(params=BUILD)
def build(request):
    torch.manual_seed(0)
    return BUILD[request.param]


def test_a_clip_gives_the_same_alone_and_in_a_batch(build):
    encoder = build().eval()
    lengths = torch.tensor([120, 7, 33])
    features = torch.randn(3, 120, 80)
    features[1, 7:] = features[2, 33:] = 0
    out, out_lengths, _ = encoder(features, lengths)
    for row, x, n, m in zip(out, features, lengths, out_lengths):
        alone, _, _ = encoder(x[None, :n], n[None])
        torch.testing.assert_close(row[:m], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("training", [False, True])
def test_num_frames_is_what_forward_gives_for_every_clip_of_a_batch(build, training):
    encoder = build().train(training)
    lengths = torch.tensor([90, *range(7, 40)])
    out, out_lengths, _ = encoder(torch.randn(len(lengths), 90, 80), lengths)
    assert out_lengths.tolist() == [encoder.num_frames(int(n)) for n in lengths]
    assert out.shape == (len(lengths), encoder.num_frames(90), 16)


def test_a_clip_too_short_for_the_convolutions_is_refused_with_the_least_length(build):
    with pytest.raises(
        ValueError, match=r"a clip has 6 feature frames; this encoder needs 7 \(70 ms\) at least"
    ):
        build()(torch.randn(2, 20, 80), torch.tensor([20, 6]))


def test_another_input_layer_is_refused(build):
    with pytest.raises(ValueError, match="encoder_conf.input_layer must stay conv2d"):
        build(input_layer="conv2d6").num_frames(100)


def test_gradients_reach_the_first_convolution(build):
    encoder = build()
    out, _, _ = encoder(torch.randn(2, 20, 80), torch.tensor([20, 9]))
    out.square().sum().backward()
    assert encoder.embed.conv[0].weight.grad.abs().sum() > 0
