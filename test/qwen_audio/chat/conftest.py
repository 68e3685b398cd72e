"""Chat sessions and grammars on the small model of the folder above."""

import pytest
import torch

from qwen_audio.infer.grammar import Grammar


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
