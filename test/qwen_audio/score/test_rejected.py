import numpy as np
import soundfile

from qwen_audio.data.corpus_dir import Utterance, write_set
from qwen_audio.data.prepare import prepare
from qwen_audio.score.rejected import cuts, rejections
from qwen_audio.task_spec import load_tasks


def test_what_stage_1_rejects_is_counted_by_set_and_kind_of_reason(tmp_path):
    seconds = {"a": 1.0, "b": 31.0, "c": 32.0, "d": 0.01, "e": 1.0}
    for name, length in seconds.items():
        soundfile.write(tmp_path / f"{name}.wav", np.full(round(16000 * length), 0.1), 16000)
    utterances = [
        Utterance(
            name,
            name,
            str(tmp_path / f"{name}.wav"),
            "hello",
            "en",
            examples=[{"task": "sec", "label": label}],
        )
        for name, label in zip(seconds, ["rain", "rain", "rain", "rain", 3], strict=True)
    ]
    write_set(tmp_path / "x_test", utterances, "own")
    prepare(tmp_path / "x_test", tmp_path / "dump/x_test", load_tasks())
    assert rejections([tmp_path / "dump/x_test", tmp_path / "y_test"]) == [
        {"set": "x_test", "what": "utterance", "reason": "too long", "count": 2},
        {"set": "x_test", "what": "utterance", "reason": "too short", "count": 1},
        {"set": "x_test", "what": "example", "reason": "bad field", "count": 1},
    ]
    assert cuts([tmp_path / "dump/x_test", tmp_path / "y_test"]) == []


def test_what_stage_1_cuts_is_counted_by_set(tmp_path):
    for name, seconds in {"a": 1.0, "b": 31.0, "c": 32.0}.items():
        soundfile.write(tmp_path / f"{name}.wav", np.full(round(16000 * seconds), 0.1), 16000)
    utterances = [Utterance(name, name, str(tmp_path / f"{name}.wav"), "hello", "en") for name in "abc"]
    write_set(tmp_path / "x_test", utterances, "own")
    prepare(tmp_path / "x_test", tmp_path / "dump/x_test", load_tasks(), cut_longer=True)
    assert cuts([tmp_path / "dump/x_test"]) == [
        {"set": "x_test", "what": "utterance", "reason": "cut to 30 s", "count": 2}
    ]
