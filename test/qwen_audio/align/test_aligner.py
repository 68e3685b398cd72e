import pytest

from qwen_audio.align.aligner import build_aligner
from qwen_audio.align.pocketsphinx import Pocketsphinx


def test_an_option_that_was_not_given_is_the_aligners_default():
    aligner = build_aligner("pocketsphinx", {"files": None, "nj": None, "model": None})
    assert isinstance(aligner, Pocketsphinx) and aligner.nj == 1


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("textgrids", {}, "unknown aligner 'textgrids'; did you mean 'textgrid'"),
        ("pocketsphinx", {"head": "ctc"}, r"--head: pocketsphinx has no such option \(it has: nj\)"),
        ("ctm", {}, "--aligner ctm needs --files"),
        ("model", {"files": None, "head": "ctc"}, "--aligner model needs --model"),
    ],
)
def test_what_is_unknown_missing_or_anothers_is_named(name, options, said):
    with pytest.raises(ValueError, match=said):
        build_aligner(name, options)
