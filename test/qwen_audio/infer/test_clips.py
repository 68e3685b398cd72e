import dataclasses

import pytest
import torch

from qwen_audio.build import build_model
from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.search import SearchOptions
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.tokens import Tokens

SPECS = load_tasks()
ROW = {"audio_lang": "en", "text_lang": "en"}


def prompt(loaded, task):
    return loaded.tokenizer.encode_pieces(SPECS[task].prompt_pieces(ROW))


def hear(loaded, sounds):
    clips = [torch.from_numpy(sound) for sound in sounds]
    return Clips(loaded, clips, [len(sound) for sound in sounds], [prompt(loaded, "asr")] * len(sounds))


def ask(clips, loaded, which, task, options):
    grammar = grammar_of(SPECS[task], loaded.tokenizer)
    return clips.answer(which, [prompt(loaded, task)] * len(which), grammar, options)


@pytest.mark.parametrize("task", ["asr", "srwt", "mna"])
@pytest.mark.parametrize(
    "options", [SearchOptions(max_new_tokens=40), SearchOptions(beam_size=3, max_new_tokens=40)]
)
def test_a_clip_alone_gets_the_text_it_gets_in_any_batch(loaded, sounds, task, options):
    batch = hear(loaded, sounds)
    together = [answer.tokens for answer in ask(batch, loaded, [4, 0, 1, 2, 3], task, options)]
    assert len({tuple(tokens) for tokens in together}) > 2  # the model listens
    for tokens, sound in zip(together, [sounds[4], *sounds[:4]]):
        assert ask(hear(loaded, [sound]), loaded, [0], task, options)[0].tokens == tokens
    assert [a.tokens for a in ask(hear(loaded, sounds[:2]), loaded, [0, 1], task, options)] == together[1:3]


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_joint_search_does_not_depend_on_the_batch_either(loaded, sounds, weight):
    options = SearchOptions(beam_size=4, ctc_weight=weight, max_new_tokens=24)
    together = ask(hear(loaded, sounds), loaded, range(5), "asr", options)
    for answer, sound in zip(together, sounds):
        alone = ask(hear(loaded, [sound]), loaded, [0], "asr", options)[0]
        assert (alone.tokens, alone.score) == (answer.tokens, pytest.approx(answer.score, abs=1e-3))


@pytest.mark.parametrize(
    "encoder, adapter, decoder",
    [
        ("conformer", "conv", "transformer"),
        ("e_branchformer", "pool_linear", "lora"),
        ("whisper", "conv", "frozen"),
        ("conformer", "stack_linear", "frozen"),
    ],
)
def test_no_component_lets_a_clip_depend_on_its_batch(
    tiny_model, tiny_tokenizer, sounds, encoder, adapter, decoder
):
    model = tiny_model(encoder, adapter, decoder, timestamp_head="ctc").eval().requires_grad_(False)
    for parameter in model.adapter.parameters():
        parameter.mul_(4 if parameter.dim() > 1 else 1)  # so that the random model listens
    model.timestamp_head.project.weight.mul_(6)
    heads = {"timestamp_head": "ctc", "timestamp_head_conf": {}}
    loaded = LoadedModel(model, tiny_tokenizer, heads, ["asr", "srwt"])
    texts, languages = ["please leave", "the quick dog", "go", "one two", "the tone"], ["en"] * 5
    for task, options in [
        ("srwt", SearchOptions(max_new_tokens=20)),
        ("asr", SearchOptions(3, 0.4, 0.2, 20)),
    ]:
        together = ask(hear(loaded, sounds), loaded, range(5), task, options)
        assert len({round(answer.score, 3) for answer in together}) > 1
        for answer, sound in zip(together, sounds):
            alone = ask(hear(loaded, [sound]), loaded, [0], task, options)[0]
            assert (alone.tokens, alone.score) == (answer.tokens, pytest.approx(answer.score, abs=1e-3))
    head = loaded.timestamp_head()
    for sound, text, found in zip(sounds, texts, head.align(loaded, sounds, texts, languages)):
        (alone,) = head.align(loaded, [sound], [text], ["en"])
        assert [word[0] for word in alone] == [word[0] for word in found]
        for one, other in zip(alone, found):
            assert one[1:] == pytest.approx(other[1:], abs=2e-3)


def test_sharing_the_audio_gives_the_likelihood_of_the_training_forward(loaded, sounds):
    answers = ask(hear(loaded, sounds), loaded, [1, 3], "asr", SearchOptions(max_new_tokens=12))
    start = prompt(loaded, "asr")
    for answer, sound in zip(answers, (sounds[1], sounds[3])):
        frames, lengths = loaded.encode([torch.from_numpy(sound)])
        text = torch.tensor([[*start, *answer.tokens]])
        places = torch.arange(len(start), text.shape[1])
        losses = loaded.model.token_losses(text, torch.tensor([text.shape[1]]), frames, lengths, places)
        torch.testing.assert_close(-losses, torch.tensor(answer.logprobs), rtol=1e-4, atol=1e-4)


def test_ctc_search_writes_only_tokens_that_ctc_knows(loaded, sounds, ctc_tokens):
    for answer in ask(hear(loaded, sounds), loaded, range(5), "asr", SearchOptions(3, 0.3, 0.0, 30)):
        assert set(answer.tokens) <= set(ctc_tokens)


def test_ctc_weight_without_a_ctc_component_names_the_mend(loaded, sounds):
    config = {**loaded.config, "ctc": None, "ctc_conf": {}}
    deaf = dataclasses.replace(loaded, model=build_model(config, loaded.tokenizer).eval())
    with pytest.raises(ValueError, match="has no ctc component; set it to 0"):
        ask(hear(deaf, sounds[:1]), deaf, [0], "asr", SearchOptions(ctc_weight=0.3))


def test_the_timestamp_head_answers_in_order_and_within_the_clip(loaded, sounds):
    for sound in sounds:
        words = Tokens().words(dataclasses.replace(loaded, search=InferenceConfig(beam_size=2)), sound)
        flat = [time for _, start, end, _ in words for time in (start, end)]
        assert flat == sorted(flat) and all(0 <= time <= len(sound) / 16000 + 0.01 for time in flat)
        assert all(text and 0 <= confidence <= 1 for text, _, _, confidence in words)
