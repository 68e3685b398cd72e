import pytest
import torch
import yaml

from qwen_audio.align.aligner import build_aligner
from qwen_audio.align.transcripts import Transcript
from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.model_folder import export_model
from qwen_audio.timestamp.path import best_path

TEXTS = ["please enter — your number", "please, please", "enter your number please", "number"]


@pytest.fixture(scope="module")
def folder(tiny_whisper, tiny_llm, tiny_tokenizer, tmp_path_factory):
    """Folder of a tiny random model with a ctc timestamp head."""
    folder = tmp_path_factory.mktemp("align")
    parts = {
        "phases": [{"steps": 1}],
        "encoder_conf": {"model": str(tiny_whisper)},
        "decoder_conf": {"model": str(tiny_llm)},
        "timestamp_head": "ctc",
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(parts))
    config, spoken = load_config(folder / "train.yaml"), tiny_tokenizer.encode("please")
    torch.manual_seed(0)
    model = build_model(config, tiny_tokenizer, spoken, 1)
    export_model(model, tiny_tokenizer, config, ["asr/en"], spoken, folder / "run")
    return str(folder / "run")


@pytest.fixture(params=["ctc", "attention"])
def aligner(request, folder):
    return build_aligner("model", {"model": folder, "head": request.param, "nj": 1, "device": None})


def transcript(audio, text, start=None, end=None):
    return Transcript("u", "u", str(audio), start, end, text, "en")


def test_every_transcript_gets_its_words_at_rising_times_within_the_clip(aligner, clip):
    transcripts = [transcript(clip[0], text) for text in TEXTS]
    answers = list(aligner.align_all(transcripts))
    assert [answer[0].text for answer in answers] == TEXTS
    for given, words, reason in answers:
        assert reason == "" and [word for *_, word in words] == given.text.replace(" — ", "— ").split()
        edges = [edge for start, end, _ in words for edge in (start, end)]
        assert edges == sorted(edges) and 0 <= edges[0] and edges[-1] <= given.seconds() + 1e-3


def test_words_are_the_same_in_a_batch_and_alone(aligner, clip):
    transcripts = [transcript(clip[0], text, 0.0, 3.0 - n / 2) for n, text in enumerate(TEXTS)]
    batch = list(aligner.align_all(transcripts))
    for given, words, _ in batch:
        alone = aligner.align(given.wave(), given.text, "en")
        assert [word for *_, word in alone] == [word for *_, word in words]
        for one, other in zip(alone, words, strict=True):
            assert one[:2] == pytest.approx(other[:2], abs=0.041)  # a frame, where rounding tips the path


def test_what_cannot_be_aligned_has_its_reason_in_its_place(aligner, clip):
    texts = [transcript(clip[0], "please"), transcript("none.wav", "enter"), transcript(clip[0], None),
             transcript(clip[0], "#"), transcript(clip[0], "number")]  # fmt: skip
    reasons = [reason.split(":")[0] for _, _, reason in aligner.align_all(texts)]
    assert reasons[:3] == ["", "missing file", "no transcript"] and reasons[4] == ""
    assert reasons[3] in ("sign that may be spoken", "no path through the text")


def test_a_text_with_more_in_it_than_the_clip_has_frames_for_is_refused(folder, clip):
    aligner = build_aligner("model", {"model": folder})
    words = "please enter your number " * 20
    ((_, found, reason),) = aligner.align_all([transcript(clip[0], words, 0.0, 0.5)])
    assert not found and reason.startswith("no path through the text")


def test_a_head_that_writes_its_own_words_is_refused_at_once(folder):
    with pytest.raises(ValueError, match="writes words and times at once; .* choose ctc or attention"):
        build_aligner("model", {"model": folder, "head": "tokens"})


def test_what_attention_saw_is_what_gave_the_times(folder, clip):
    aligner = build_aligner("model", {"model": folder, "head": "attention"})
    given = transcript(clip[0], "please enter your number")
    ((_, words, _),) = aligner.align_all([given])
    attended = aligner.attended(given)
    assert b"".join(attended.tokens).decode().split() == given.text.split()
    assert attended.matrix.shape == (len(attended.tokens) + 1, round(given.seconds() / attended.frame + 0.5))
    starts = (best_path(attended.matrix) * attended.frame).round(3)
    assert {start for start, _, _ in words} <= set(starts)
    assert build_aligner("model", {"model": folder}).attended(given) is None
