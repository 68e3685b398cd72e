import numpy as np
import pytest

from qwen_audio.align.pocketsphinx import Pocketsphinx, spoken_words
from qwen_audio.align.transcripts import Transcript
from qwen_audio.audio import read_audio

TEXT = "Please enter your number."


@pytest.fixture(scope="module")
def wave(clip):
    return read_audio(str(clip[0]))


def test_words_stand_where_they_were_laid(wave, clip):
    words = Pocketsphinx().align(wave, TEXT, "en")
    assert [word for _, _, word in words] == ["Please", "enter", "your", "number."]
    for (start, end, _), (true_start, true_end, _) in zip(words, clip[1], strict=True):
        assert start == pytest.approx(true_start, abs=0.2) and end == pytest.approx(true_end, abs=0.2)


def test_times_never_fall_nor_pass_the_end(wave):
    edges = [edge for start, end, _ in Pocketsphinx().align(wave, TEXT, "en") for edge in (start, end)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= len(wave) / 16000


def test_what_was_aligned_before_changes_nothing(wave):
    aligner, noise = Pocketsphinx(), np.random.default_rng(0).normal(0, 0.01, len(wave)).astype(np.float32)
    clips = [wave, wave[1200:], 0.3 * wave, wave + noise]
    forwards = [aligner.align(clip, TEXT, "en") for clip in clips]
    assert [aligner.align(clip, TEXT, "en") for clip in clips[::-1]] == forwards[::-1]


def test_several_processes_answer_as_one_and_in_order(clip):
    texts = [TEXT, "Xyzzyx", "please enter your number", None]
    transcripts = [
        Transcript(str(n), "", str(clip[0]), None, None, text, "en") for n, text in enumerate(texts)
    ]
    answers = list(Pocketsphinx(2).align_all(transcripts))
    assert answers == list(Pocketsphinx().align_all(transcripts))
    reasons = [(transcript.utt, reason) for transcript, _, reason in answers]
    assert reasons == [("0", ""), ("1", "not in the dictionary: Xyzzyx"), ("2", ""), ("3", "no transcript")]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("Re-enter,", ["re", "enter"]),
        ("party's", ["party's"]),
        ("7", ["seven"]),
        ("“Yes”", ["yes"]),
        ("#", []),
    ],
)
def test_a_token_is_spoken_as(token, words):
    assert spoken_words(token) == words


@pytest.mark.parametrize("token", ["Xyzzyx", "#"])
def test_a_word_or_sign_out_of_the_dictionary_is_named(wave, token):
    with pytest.raises(ValueError, match=f"not in the dictionary: {token}"):
        Pocketsphinx().align(wave, f"please {token}", "en")


def test_another_language_is_refused(wave):
    with pytest.raises(ValueError, match="not in English, .* ships a model of: fr"):
        Pocketsphinx().align(wave, "un", "fr")
