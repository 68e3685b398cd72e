"""A pretrained Whisper, tiny and random, against transformers' own generation."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.pretrained import load_whisper
from qwen_audio.infer.search import SearchOptions
from qwen_audio.task_spec import load_tasks

ASR = load_tasks()["asr"]
LENGTH = 20


@pytest.fixture(scope="module")
def loaded(whole_whisper):
    return load_whisper(str(whole_whisper))


@pytest.fixture(scope="module")
def sounds():
    """Clips of 0.4 to 2 s, the window of the model: noise of several colours, float32 in ±1."""
    draw = np.random.default_rng(2)
    clips = []
    for seconds in (0.4, 1.1, 2.0, 0.75, 1.7, 0.5):
        noise = draw.standard_normal(int(seconds * 16000))
        width = draw.integers(1, 30)
        clips.append((np.convolve(noise, np.ones(width) / width, "same") * 0.3).astype(np.float32))
    return clips


def prompt(loaded, language, task=ASR):
    return loaded.tokenizer.encode_pieces(task.prompt_pieces({"audio_lang": language, "text_lang": language}))


def texts(loaded, sounds, languages):
    prompts = [prompt(loaded, language) for language in languages]
    clips = Clips(
        loaded, [torch.from_numpy(sound) for sound in sounds], [len(sound) for sound in sounds], prompts
    )
    options = SearchOptions(max_new_tokens=LENGTH)
    answers = clips.answer(list(range(len(sounds))), prompts, grammar_of(ASR, loaded.tokenizer), options)
    return [answer.tokens for answer in answers if not answer.looped], [answer.looped for answer in answers]


def test_it_writes_what_transformers_writes(loaded, whole_whisper, sounds):
    """Token by token, from the same samples; clips of several lengths and two languages in one batch."""
    languages = ["en", "es", "en", "es", "en", "es"]
    theirs = WhisperForConditionalGeneration.from_pretrained(whole_whisper).eval()
    extract = WhisperFeatureExtractor.from_pretrained(whole_whisper)
    features = extract(sounds, sampling_rate=16000, return_tensors="pt").input_features
    with torch.inference_mode():
        written = theirs.generate(
            features,
            task="transcribe",
            language=languages,
            max_new_tokens=LENGTH,
            num_beams=1,
            do_sample=False,
        )
    skip = set(AutoTokenizer.from_pretrained(whole_whisper).all_special_ids)
    expected = [[token for token in row if token not in skip] for row in written.tolist()]
    ours, looped = texts(loaded, sounds, languages)
    expected = [row for row, loop in zip(expected, looped) if not loop]
    assert ours == expected and len({tuple(row) for row in ours}) > 2  # it listens


def test_an_answer_ends_where_the_positions_end(loaded, sounds):
    """64 positions, four of them the prompt's."""
    start = prompt(loaded, "en")
    clips = Clips(loaded, [torch.from_numpy(sounds[0])], [len(sounds[0])], [start])
    answer = clips.answer([0], [start], grammar_of(ASR, loaded.tokenizer), SearchOptions(max_new_tokens=500))[
        0
    ]
    assert len(answer.tokens) <= 60


def test_a_clip_alone_gets_the_text_it_gets_in_a_batch(loaded, sounds):
    together = texts(loaded, sounds, ["en"] * len(sounds))
    alone = [texts(loaded, [sound], ["en"]) for sound in sounds]
    assert together == (sum((one for one, _ in alone), []), sum((loop for _, loop in alone), []))


def test_the_prompt_is_whispers_own(loaded):
    decode, encode = loaded.tokenizer.decode, lambda *row: prompt(loaded, *row)
    own = "<|startoftranscript|><|es|><|transcribe|><|notimestamps|>"
    assert decode(encode("es")) == "[[[AUDIO:modality]]]" + own
    assert loaded.tokenizer.encode_pieces([("hello there ", False)]) == loaded.tokenizer.encode(
        " hello there"
    )


def test_whispers_own_tokens_keep_their_ids(loaded, whole_whisper):
    ours = AutoTokenizer.from_pretrained(whole_whisper)
    for name in ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"):
        assert loaded.tokenizer.token_id(name) == ours.convert_tokens_to_ids(name)
    times = [loaded.tokenizer.token_id(f"<|{0.02 * i:.2f}|>") for i in range(1501)]
    assert times == list(range(len(ours), len(ours) + 1501)) and times[-1] == loaded.tokenizer.base_size - 1
    assert loaded.tokenizer.token_id("<|0.01|>") >= loaded.tokenizer.base_size


def test_a_language_it_does_not_know_is_refused(loaded):
    with pytest.raises(ValueError, match=r"<\|fr\|>: this Whisper does not know the language"):
        prompt(loaded, "fr")


def test_an_english_whisper_is_told_neither_language_nor_task(whole_whisper, tmp_path):
    folder = shutil.copytree(whole_whisper, tmp_path / "english")
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**generation, "is_multilingual": False}))
    english = load_whisper(str(folder))
    assert english.tokenizer.decode(prompt(english, "en")) == (
        "[[[AUDIO:modality]]]<|startoftranscript|><|notimestamps|>"
    )
    with pytest.raises(ValueError, match="take a multilingual one, such as openai/whisper-base"):
        prompt(english, "es")


def test_words_come_with_times_at_once(loaded, sounds):
    words = loaded.timestamp_head().align(loaded, sounds[:2], ["please leave", "the tone"], ["en", "es"])
    assert [[word[0] for word in row] for row in words] == [["please", "leave"], ["the", "tone"]]
    for row, sound in zip(words, sounds):
        times = [time for word in row for time in word[1:3]]
        assert times == sorted(times) and 0 <= times[0] and times[-1] <= len(sound) / 16000


def test_what_is_no_whisper_is_refused(tiny_llm):
    with pytest.raises(ValueError, match="is a llama, no Whisper; name one such as openai/whisper-base"):
        load_whisper(str(tiny_llm))


def test_an_unknown_dtype_names_the_nearest(whole_whisper):
    with pytest.raises(ValueError, match="did you mean 'bfloat16'"):
        load_whisper(str(whole_whisper), dtype="bfloat")
