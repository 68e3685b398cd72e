"""A small random model with every component, and sounds to give it."""

import numpy as np
import pytest
import soundfile
import torch
import yaml

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.build import build_model
from qwen_audio.config import load_config
from qwen_audio.infer.grammar import Grammar
from qwen_audio.infer.load import LoadedModel
from qwen_audio.tags import TIMES

TASKS = ["asr", "srwt", "mna", "lid"]


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


@pytest.fixture
def start_chat(loaded):
    """Function (**options) -> a session and the list of what it notified."""

    def chat(**options):
        notes = []
        return loaded.chat(notify=notes.append, **{"max_new_tokens": 16, **options}), notes

    return chat


@pytest.fixture
def talk(start_chat, sound_files):
    """A session of three turns, the first and the last with audio."""
    session, _ = start_chat()
    session.ask("What is said?", audio=sound_files[1])
    session.ask("Is it a fox?")
    session.ask("And which is longer?", audio=[sound_files[0], sound_files[3]])
    return session


class Spelling(Grammar):
    """Allows one text alone."""

    def __init__(self, ids, size):
        self.alias, self.ids, self.size = torch.arange(size), torch.tensor(ids), size

    def start(self, samples):
        return torch.zeros_like(samples)[:, None]

    def allowed(self, states):
        return torch.arange(self.size) == self.ids[states]

    def advance(self, states, tokens):
        return states + 1


@pytest.fixture
def spelling(loaded):
    """Function (text or token ids) -> a grammar that allows this answer alone."""
    tokenizer = loaded.tokenizer

    def allow(answer):
        ids = tokenizer.encode(answer) if isinstance(answer, str) else answer
        return Spelling([*ids, tokenizer.token_id("<|im_end|>")], len(tokenizer))

    return allow


@pytest.fixture
def encoded(loaded):
    """How many clips the encoder was given, call by call."""
    calls = []
    hook = loaded.model.encoder.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    yield calls
    hook.remove()
