from pathlib import Path

import pytest

from qwen_audio.config import load_config
from qwen_audio.data.speed import speeds

CHECKOUT = Path(__file__).parents[3]
COUNTS = dict.fromkeys(["asr/en", "asr/es", "lid", "srwt/en", "template/asr/en", "template/lid", "text"], 9)


def changing(*tasks):
    return sorted(speeds({"factors": [0.9, 1.1], "tasks": list(tasks)}, COUNTS))


def test_a_name_covers_what_stands_below_it_and_no_more():
    assert changing("asr") == ["asr/en", "asr/es"]
    assert changing("asr/es", "lid") == ["asr/es", "lid"]
    assert changing("template/asr", "text") == ["template/asr/en", "text"]
    assert speeds({}, COUNTS) == {}


@pytest.mark.parametrize("name, message", [
    ("srwt", r"'srwt': .* are wrong, which hold words \(times\); leave it out$"),
    ("template/srwt/en", r"'template/srwt/en': .* which hold words \(times\); leave it out$"),
    ("sed", r"segments \(times\); leave it out$"),
    ("llm/sd", r"segments \(times\); leave it out$"),
    ("mna", r"pitch \(a measured number\), velocity \(a measured number\); leave it out$"),
    ("template", "'template': .* that hold times or pitches; name its tasks, such as template/asr$"),
    ("joined", "'joined': .* that hold times or pitches; leave it out$"),
])  # fmt: skip
def test_what_is_measured_in_the_audio_keeps_its_speed(name, message):
    with pytest.raises(ValueError, match=f"^speed_perturb.tasks has .*{message}"):
        changing("asr", name)


def test_the_shipped_configurations_change_no_such_task():
    checked = 0
    for path in sorted(CHECKOUT.glob("egs/*/conf/*.yaml")) + sorted(CHECKOUT.glob("recipes/conf/*.yaml")):
        if "speed_perturb:" in path.read_text():
            speeds(load_config(path)["speed_perturb"], COUNTS)
            checked += 1
    assert checked
