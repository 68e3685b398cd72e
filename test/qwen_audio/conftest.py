"""Batches and whole models of tiny parts, one that is ready for inference, and sounds to give it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.build import build_model
from qwen_audio.config import DEFAULTS, check_config, load_config, merge
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.tags import TIMES

TASKS = ["asr", "srwt", "mna", "lid"]
ESPNET = {"output_size": 16, "attention_heads": 2, "linear_units": 32, "num_blocks": 1}


@pytest.fixture(scope="session")
def parts(tiny_whisper, tiny_llm):
    """Configurations of tiny components: slot -> name -> keys of the YAML."""
    llm = {"model": str(tiny_llm)}
    return {
        "encoder": {
            "whisper": {"encoder": "whisper", "encoder_conf": {"model": str(tiny_whisper)}},
            "conformer": {"encoder": "conformer", "encoder_conf": {**ESPNET, "cnn_module_kernel": 7}},
            "e_branchformer": {
                "encoder": "e_branchformer",
                "encoder_conf": {**ESPNET, "cgmlp_linear_units": 32, "cgmlp_conv_kernel": 7},
            },
        },
        "adapter": {name: {"adapter": name} for name in ("pool_linear", "stack_linear", "conv")},
        "decoder": {
            "frozen": {"decoder": "hf_causal_lm", "decoder_conf": llm, "freeze_param": ["decoder"]},
            "lora": {"decoder": "hf_causal_lm", "decoder_conf": {**llm, "lora": {"r": 2}}},
            "transformer": {
                "decoder": "transformer",
                "decoder_conf": {"hidden_size": 32, "layers": 1, "heads": 2, "ffn_size": 32},
            },
        },
    }


@pytest.fixture(scope="session")
def tiny_model(parts, tiny_tokenizer):
    """Function (encoder, adapter, decoder, **more keys of the YAML) that builds always the same model."""

    def build(encoder="whisper", adapter="pool_linear", decoder="frozen", tasks=3, ctc_tokens=None, **more):
        chosen = {**parts["encoder"][encoder], **parts["adapter"][adapter], **parts["decoder"][decoder]}
        config = merge(DEFAULTS, {"ctc": "embedding", **chosen, **more})
        check_config(config)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            spoken = ctc_tokens or sorted(
                {id for text in ("dog", "the quick brown fox") for id in tiny_tokenizer.encode(text)}
            )
            return build_model(config, tiny_tokenizer, spoken, tasks)

    return build


@pytest.fixture(scope="session")
def make_batch(tiny_tokenizer):
    """Function (rows, tokenizer) -> what the model's forward takes; a row: (samples, prompt, answer, task, spoken)."""

    def pad(rows, value=0):
        return torch.nn.utils.rnn.pad_sequence([torch.as_tensor(row) for row in rows], True, value)

    def batch_of(rows, t=tiny_tokenizer):
        generator = torch.Generator().manual_seed(0)
        clips, texts, masks, spoken = [], [], [], []
        for samples, prompt, answer, _, transcript in rows:
            generator.manual_seed(samples)
            clips.append(torch.randn(samples, generator=generator) * 0.1)
            prompt = [
                t.token_id("<audio>"),
                t.placeholder,
                t.token_id("</audio>"),
                t.token_id("<|en|>"),
                *t.encode(prompt),
            ]
            answer = [*t.encode(answer), t.end]
            texts.append(prompt + answer)
            masks.append([False] * len(prompt) + [True] * len(answer))
            spoken.append(torch.tensor(t.encode(transcript), dtype=torch.long))
        return {
            "speech": pad(clips), "speech_lengths": torch.tensor([len(clip) for clip in clips]),
            "text": pad(texts, t.pad), "text_lengths": torch.tensor([len(text) for text in texts]),
            "loss_places": pad(masks, False).flatten().nonzero()[:, 0],
            "task_ids": torch.tensor([row[3] for row in rows]),
            "ctc_text": pad(spoken), "ctc_text_lengths": torch.tensor([len(tokens) for tokens in spoken]),
        }  # fmt: skip

    return batch_of


WHISPER_TAGS = "endoftext startoftranscript en es translate transcribe startofprev notimestamps".split()


@pytest.fixture(scope="session")
def whole_whisper(tmp_path_factory):
    """Folder of a random Whisper that can write: decoder, tokenizer, published heads; a window of 2 s.

    As in files of before 2023, the tokenizer leaves out the 1501 time tokens that the embedding has rows for.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    folder = tmp_path_factory.mktemp("whole_whisper")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        ["please leave a message after the tone", "the quick brown fox"],
        trainers.BpeTrainer(vocab_size=312, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe)
    names = [f"<|{name}|>" for name in WHISPER_TAGS]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    number = dict(zip(WHISPER_TAGS, tokenizer.convert_tokens_to_ids(names)))
    marks = dict(
        pad_token_id=number["endoftext"], bos_token_id=number["endoftext"], eos_token_id=number["endoftext"],
        decoder_start_token_id=number["startoftranscript"],
    )  # fmt: skip
    config = WhisperConfig(
        vocab_size=len(tokenizer) + 1501, d_model=32, encoder_layers=1, decoder_layers=2, num_mel_bins=80,
        encoder_attention_heads=2, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=100, max_target_positions=64, init_std=0.4, suppress_tokens=None,
        begin_suppress_tokens=None, **marks,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = WhisperForConditionalGeneration(config)
    spoken = [token for token in range(256, len(tokenizer)) if token not in number.values()]
    times = range(len(tokenizer), config.vocab_size)
    model.generation_config = GenerationConfig(
        **marks,
        max_length=64,
        is_multilingual=True,
        alignment_heads=[[0, 3], [1, 0], [1, 2]],
        lang_to_id={"<|en|>": number["en"], "<|es|>": number["es"]},
        task_to_id={task: number[task] for task in ("transcribe", "translate")},
        no_timestamps_token_id=number["notimestamps"],
        suppress_tokens=[*spoken[:5], *(id for name, id in number.items() if name != "endoftext"), *times],
        begin_suppress_tokens=[number["endoftext"]],
        return_timestamps=False,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=2).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_whisper, tiny_llm, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "train.yaml"
    content = {
        "phases": [{"steps": 1}],
        "encoder_conf": {"model": str(tiny_whisper)},
        "adapter": "stack_linear",
        "adapter_conf": {"stride": 4, "hidden_size": 48},
        "ctc": "embedding",
        "ctc_conf": {"scale": 4.0},
        "decoder_conf": {"model": str(tiny_llm)},
    }
    path.write_text(yaml.safe_dump(content))
    return load_config(path)


@pytest.fixture(scope="session")
def ctc_tokens(tiny_tokenizer):
    return sorted(set(tiny_tokenizer.encode("please leave a message after the tone")))


@pytest.fixture(scope="session")
def loaded(tiny_config, tiny_tokenizer, ctc_tokens):
    """A LoadedModel whose answers differ from clip to clip."""
    torch.manual_seed(0)
    model = build_model(tiny_config, tiny_tokenizer, ctc_tokens, len(TASKS)).eval().requires_grad_(False)
    with torch.no_grad():
        model.adapter.mlp[-1].weight *= 8
        times = [tiny_tokenizer.token_id(name) - tiny_tokenizer.base_size for name in TIMES]
        model.decoder.new_rows[times] *= 2  # so that it writes times now and then
    return LoadedModel(model, tiny_tokenizer, tiny_config, TASKS)


@pytest.fixture(scope="session")
def sounds():
    """Five clips of 0.4 to 2.1 s: chirps in noise, float32 in ±1."""
    draw = np.random.default_rng(0)
    clips = []
    for seconds in (0.4, 2.1, 0.75, 1.3, 1.31):
        at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = np.sin(2 * np.pi * (200 + 900 * draw.random() + 600 * draw.random() * at) * at)
        clips.append((0.3 * tone + 0.05 * draw.standard_normal(len(at))).astype(np.float32))
    return clips


@pytest.fixture(scope="session")
def sound_files(sounds, tmp_path_factory):
    """Paths of wave files that hold ``sounds`` exactly."""
    folder = tmp_path_factory.mktemp("sounds")
    paths = [str(folder / f"{number}.wav") for number in range(len(sounds))]
    for path, sound in zip(paths, sounds):
        soundfile.write(path, sound, SAMPLE_RATE, subtype="FLOAT")
    return paths


@pytest.fixture(scope="session")
def ffmpeg():
    """Function (source, *options) that codes a file anew; the last of the options is where it is written."""

    def code(source, *options):
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", source, *options]
        subprocess.run(command, check=True)
        return options[-1]

    return code


@pytest.fixture
def cut_answers(monkeypatch):
    """Every answer about a clip counts as cut."""
    answer = Clips.answer
    monkeypatch.setattr(Clips, "answer", lambda *args: [replace(each, ended=False) for each in answer(*args)])


@pytest.fixture
def encoded(loaded):
    """How many clips the encoder was given, call by call."""
    calls = []
    hook = loaded.model.encoder.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    yield calls
    hook.remove()


@pytest.fixture
def write_config(tmp_path):
    """Function (text, name) -> the YAML file of that name, which holds the text."""

    def write(text: str, name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write
