"""docs/serving.md: its commands and requests are those that the server takes."""

import argparse
import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen_audio.bin import serve
from qwen_audio.serve import app
from qwen_audio.serve.chat_request import parse_chat
from qwen_audio.serve.transcript_request import parse_transcript

PAGE = (Path(__file__).parents[2] / "docs/serving.md").read_text()


def test_the_commands_of_the_page_are_understood():
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    lines = re.findall(r"^    qwen-audio serve (.*)$", PAGE, re.M)
    assert len(lines) == 2
    for line in lines:
        assert parser.parse_args(shlex.split(line, comments=True)).model == "exp/sft_default"
    options = set(re.findall(r"`(--[a-z-]+)", PAGE))
    assert options and options <= set(parser._option_string_actions)


def test_the_request_of_the_page_is_one():
    body = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1].replace("UklGRiQ...", "UklGRg=="))
    assert parse_chat(body).max_new_tokens == 100


@pytest.mark.parametrize("text", [PAGE, serve.__doc__], ids=["page", "help"])
def test_the_form_that_curl_sends_is_taken(text):
    (line,) = re.findall(r"^    (curl .*)$", text, re.M)
    _, address, *words = shlex.split(line)
    assert words[::2] == ["-F"] * (len(words) // 2)
    fields = dict(word.split("=", 1) for word in words[1::2])
    assert fields["file"].startswith("@")
    assert parse_transcript(fields).form == fields["response_format"]
    assert f"POST {address[address.index('/v1/') :]} " in app.__doc__


def test_what_the_python_client_of_the_page_sends_is_taken(tmp_path, monkeypatch, capsys):
    sent = []

    def create(model, **body):
        sent.append(parse_chat({"model": model, **body}))
        message = SimpleNamespace(content="hello")
        return SimpleNamespace(choices=[SimpleNamespace(message=message)])

    def client(base_url, api_key):
        assert base_url.endswith("/v1")
        return SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))

    monkeypatch.setitem(sys.modules, "openai", SimpleNamespace(OpenAI=client))
    monkeypatch.chdir(tmp_path)
    Path("a.wav").write_bytes(b"a recording")
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], {})
    sound, question = sent[0].said[0].parts
    assert (sound.data, question) == (b"a recording", "What does the person say?")
    assert not sent[0].notes and capsys.readouterr().out == "hello\n"
