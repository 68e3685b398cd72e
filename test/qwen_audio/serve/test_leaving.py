"""Clients that leave before they have their answer, as a server on a socket hears of it."""

import http.client
import threading
import time

import httpx2
import numpy as np
import pytest
import soundfile
import uvicorn
from starlette.testclient import TestClient

from qwen_audio.serve.app import Limits, make_app
from qwen_audio.serve.worker import Job


@pytest.fixture
def app(loaded):
    return make_app(loaded, "tiny", Limits(max_new_tokens=1500))


@pytest.fixture
def worker(app):
    (server,) = {route.endpoint.__self__ for route in app.routes if hasattr(route.endpoint, "__self__")}
    return server.worker


@pytest.fixture
def running(app):
    """The server, uvicorn's."""
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=running.run)
    thread.start()
    until(lambda: running.started)
    yield running
    running.should_exit = True
    thread.join()


@pytest.fixture
def address(running):
    host, port = running.servers[0].sockets[0].getsockname()
    return f"{host}:{port}"


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Steps(list):
    """What was computed; the first step lasts until ``go``."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.append(1)
        self.begun.set()
        self.go.wait(60)


@pytest.fixture
def left(monkeypatch):
    """Set when the server knows that a client has left."""
    left, leave = threading.Event(), Job.leave
    monkeypatch.setattr(Job, "leave", lambda job: (leave(job), left.set()))
    return left


def send_and_leave(address, worker, steps, left, request):
    """Leave in the first step, and wait for the end of the work."""
    connection = http.client.HTTPConnection(address)
    connection.request("POST", request.url.path, request.read(), dict(request.headers))
    assert steps.begun.wait(60)
    connection.close()
    assert left.wait(60)
    steps.go.set()
    until(lambda: not worker._pending)


@pytest.mark.parametrize("stream", [False, True])  # of which nothing is sent before the first piece
def test_an_answer_is_written_no_further(app, address, worker, left, user, caplog, stream):
    steps = Steps()

    def slow(_):
        for _ in range(9):
            steps()
            yield "word "

    sessions = next(
        route.endpoint.__self__.sessions for route in app.routes if route.path == "/v1/chat/completions"
    )
    sessions.answer = slow
    request = httpx2.Request(
        "POST", f"http://{address}/v1/chat/completions", json={"messages": [user("Why?")], "stream": stream}
    )
    send_and_leave(address, worker, steps, left, request)
    assert len(steps) == 1 and not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_long_transcript_ends_at_the_next_step_of_the_model(
    loaded, address, worker, left, sound_files, tmp_path
):
    wave, rate = soundfile.read(sound_files[1])
    soundfile.write(tmp_path / "long.wav", np.tile(wave, 150), rate)
    steps = Steps()
    hook = loaded.model.decoder.register_forward_pre_hook(steps, prepend=True)
    try:
        files = {"file": ("long.wav", (tmp_path / "long.wav").read_bytes())}
        request = httpx2.Request("POST", f"http://{address}/v1/audio/transcriptions", files=files)
        send_and_leave(address, worker, steps, left, request)
    finally:
        hook.remove()
    assert len(steps) == 1
    with open(sound_files[1], "rb") as file:  # and the next client is served
        answer = httpx2.post(
            f"http://{address}/v1/audio/transcriptions", files={"file": ("a.wav", file)}, timeout=60
        )
    assert answer.json()["text"]


def test_a_stream_is_written_no_further(loaded, address, worker, user, monkeypatch):
    steps = []
    hook = loaded.model.decoder.register_forward_pre_hook(lambda *_: steps.append(1))
    monkeypatch.setattr("qwen_audio.infer.loops.REPEATS", 10**6)
    body = {"messages": [user("Tell me all.", 1)], "stream": True}
    try:
        with httpx2.stream(
            "POST", f"http://{address}/v1/chat/completions", json=body, timeout=60
        ) as response:
            lines = response.iter_lines()
            while '"content": ""' in (line := next(lines)) or not line:
                pass
        until(lambda: not worker._pending)
    finally:
        hook.remove()
    assert len(steps) < 1000


def test_who_leaves_while_sending_is_no_fault_of_the_server(running, address, caplog):
    connection = http.client.HTTPConnection(address)
    connection.putrequest("POST", "/v1/chat/completions")
    for header in (("Content-Type", "application/json"), ("Content-Length", "100")):
        connection.putheader(*header)
    connection.endheaders(b"{")
    until(lambda: running.server_state.tasks)
    connection.close()
    until(lambda: not running.server_state.tasks)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_server_that_has_ended_leaves_the_model_without_its_hooks(loaded, app):
    parts = loaded.model.encoder, loaded.model.decoder
    with TestClient(app):
        assert all(part._forward_pre_hooks for part in parts)
    assert not any(part._forward_pre_hooks for part in parts)
