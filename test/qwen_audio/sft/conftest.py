"""A prepared set of a few recordings, and a small real server that answers as an OpenAI-compatible one does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qwen_audio.task_spec import load_tasks

ROWS = {  # utterance -> its examples
    "a1": [("lid", {"label": "English"}), ("asr", "please hold the line"), ("srwt", "please hold the line")],
    "a2": [("lid", {"label": "English"}), ("asr", "press seven again"), ("srwt", "press seven again")],
    "a3": [("lid", {"label": "Spanish"}), ("asr", "pulse siete")],
    "a4": [("lid", {"label": "French"}), ("asr", "appuyez maintenant")],
    "b1": [("sec", {"label": "animal"})],
    "b2": [("sec", {"label": "bird"})],
    "b3": [("sec", {"label": "music"}), ("mna", {"pitch": 60, "velocity": 75, "instrument": "flute"})],
    "b4": [("sec", {"label": "music"}), ("mna", {"pitch": 67, "velocity": 75, "instrument": "flute"})],
    "b5": [("sec", {"label": "music"}), ("mna", {"pitch": 72, "velocity": 75, "instrument": "flute"})],
}
LANGS = {"a3": "es", "a4": "fr"}


def row(utt, task, fields):
    lang = LANGS.get(utt, "en")
    if task == "asr":
        fields = {"audio_lang": lang, "text_lang": lang, "text": fields}
    elif task == "srwt":
        words = [[at / 2, at / 2 + 0.4, word] for at, word in enumerate(fields.split())]
        fields = {"audio_lang": lang, "text_lang": lang, "words": words, "label_origin": "constructed"}
    return {"utt": utt, "task": task, **fields}


def write_set(folder, rows):
    """A prepared set without its audio, which no dialogue opens; recording n is 2 n seconds long."""
    folder.mkdir(parents=True)
    files = {"wav.scp": [], "utt2num_samples": [], "examples.jsonl": []}
    for number, utt in enumerate(sorted(rows), 1):
        files["wav.scp"].append(f"{utt} audio/{utt}.flac")
        files["utt2num_samples"].append(f"{utt} {2 * number * 16000}")
        files["examples.jsonl"] += [json.dumps(row(utt, *example)) for example in rows[utt]]
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tasks():
    return load_tasks()


@pytest.fixture
def prepared(tmp_path):
    return write_set(tmp_path / "dump" / "set", ROWS)


class Server(ThreadingHTTPServer):
    """Answers each request by the next of ``replies``: (status, body, headers); the last one stays.

    Attributes:
        asked: (path, headers, body) of the requests so far.
        url: up to /v1.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.asked = [], []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def say(self, *texts):
        """Make ``texts`` the next replies."""
        self.replies += [(200, self.completion(text), {}) for text in texts]

    @staticmethod
    def completion(text, finish_reason="stop"):
        message = {"role": "assistant", "content": text}
        return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        replies = self.server.replies
        status, content, headers = replies.pop(0) if len(replies) > 1 else replies[0]
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
