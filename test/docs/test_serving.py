import argparse
import json
import re
import shlex
from pathlib import Path

from qwen_audio.bin import serve
from qwen_audio.serve.chat_request import parse_chat

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
