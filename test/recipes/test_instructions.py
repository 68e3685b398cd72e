from pathlib import Path

from qwen_audio.sft.make import text_dialogues

FILE = Path(__file__).parents[2] / "recipes" / "chat" / "instructions.jsonl"


def test_the_text_instructions_are_whole_dialogues_each_asked_once():
    found = text_dialogues(FILE)
    assert len(found) >= 60
    assert len({dialogue.messages[0].text for dialogue in found}) == len(found)
    assert all(dialogue.messages[-1].role == "assistant" for dialogue in found)
