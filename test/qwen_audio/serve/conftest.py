"""The server over the small model, and messages to send it."""

import base64

import pytest
from starlette.testclient import TestClient

from qwen_audio.serve.app import Limits, make_app

LIMITS = Limits(max_new_tokens=16, max_seconds=30, max_mb=1, kept=2)


@pytest.fixture
def client(loaded):
    with TestClient(make_app(loaded, "tiny", LIMITS)) as client:
        yield client


@pytest.fixture
def user(sound_files):
    """Function (text, *numbers of sounds) -> a user's message."""

    def message(text, *sounds):
        files = (open(sound_files[number], "rb").read() for number in sounds)
        audio = [{"data": base64.b64encode(data).decode(), "format": "wav"} for data in files]
        parts = [{"type": "input_audio", "input_audio": held} for held in audio]
        return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}

    return message


@pytest.fixture
def ask(client):
    """Function (*messages, **more) -> the answer of /v1/chat/completions."""

    def send(*messages, **more):
        response = client.post("/v1/chat/completions", json={"messages": list(messages), **more})
        assert response.status_code == 200, response.text
        return response.json()

    return send


@pytest.fixture
def start_session(loaded):
    """Function () -> a chat session with the server's options."""
    return lambda: loaded.chat(notify=lambda _: None, max_new_tokens=LIMITS.max_new_tokens)
