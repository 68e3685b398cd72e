"""docs/dialogues.md: the layouts that it shows say one dialogue, and its commands are understood."""

import json
import re
from pathlib import Path

from qwen_audio.data.dialogue import parse_dialogue

PAGE = (Path(__file__).parents[2] / "docs/dialogues.md").read_text()


def test_every_layout_of_the_page_is_read_as_the_same_dialogue():
    rows = re.search(r"```json\n(.*?)```", PAGE, re.S)[1].splitlines()
    ours, *others = [parse_dialogue(json.loads(row), "d1").messages for row in rows]
    assert len(others) == 3
    for messages in others:
        assert messages[-2:] == ours


def test_its_commands_are_understood(understand):
    lines = re.findall(r"^    ((?:qwen-audio|./run.sh) .*)", PAGE, re.M)
    assert len(lines) == 6
    for line in lines:
        understand(line)
