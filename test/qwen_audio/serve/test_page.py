"""The page's script, run by node on a page that is only names."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import qwen_audio.serve

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
SCRIPT = Path(qwen_audio.serve.__path__[0]) / "page" / "page.js"

BROWSER = """
const asked = [], elements = {};
let unreadable = false;
const nothing = () => {};
const make = () => ({ append: nothing, replaceChildren: nothing, remove: nothing, scrollIntoView: nothing,
  focus: nothing, setAttribute: nothing, value: "", textContent: "", classList: { toggle: nothing } });
globalThis.document = { getElementById: (id) => (elements[id] ??= make()), createElement: make };
URL.createObjectURL = () => "blob:";
globalThis.FileReader = class {
  readAsDataURL() { setTimeout(() => { this.result = "data:,QUJD"; unreadable ? this.onerror() : this.onload(); }); }
  error = new Error("it cannot be read");
};
globalThis.fetch = async (path, { body }) => {
  if (body) asked.push(JSON.parse(body).messages.at(-1).content.map((part) => part.type));
  return new Response('data: {"choices": [{"delta": {"content": "yes"}}]}\\n\\ndata: [DONE]\\n\\n');
};
const enter = () => elements.text.onkeydown({ key: "Enter", preventDefault: nothing });
const later = () => new Promise((done) => setTimeout(done, 50));
const attach = () => { elements.files.files = [{ name: "a.wav" }]; elements.files.onchange(); };
"""


def answer(actions: str):
    """What ``actions`` print as JSON, after the script has been read."""
    code = BROWSER + SCRIPT.read_text(encoding="utf-8") + f"(async () => {{ {actions} }})();"
    found = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_enter_typed_twice_while_a_file_is_read_asks_once():
    asked = answer("""
        attach(); elements.text.value = "What is said?"; enter(); enter(); await later();
        elements.text.value = "Sure?"; enter(); await later();
        console.log(JSON.stringify(asked));""")
    assert asked == [["input_audio", "text"], ["text"]]


def test_after_a_file_that_cannot_be_read_the_question_can_be_asked_again():
    text, told, asked = answer("""
        unreadable = true; attach(); elements.text.value = "What is said?"; enter(); await later();
        const left = [elements.text.value, elements.fault.textContent];
        unreadable = false; enter(); await later();
        console.log(JSON.stringify([...left, asked]));""")
    assert (text, told, asked) == ("What is said?", "it cannot be read", [["input_audio", "text"]])
