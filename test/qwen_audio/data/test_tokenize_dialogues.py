import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from qwen_audio.bin.tokenize import main
from qwen_audio.chat.chatml import encode_dialogue
from qwen_audio.data.dialogue import parse_dialogue, read_dialogues
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.tokenize_dialogues import stream, tokenize_dialogues
from qwen_audio.task_spec import load_tasks


def said(role, text, *audios):
    return {
        "role": role,
        "content": [
            *({"type": "audio", "audio": str(audio)} for audio in audios),
            {"type": "text", "text": text},
        ],
    }


@pytest.fixture
def folder(tmp_path):
    """Four dialogues over two recordings of 0.1 and 0.2 s."""
    one, two = (tmp_path / f"{name}.wav" for name in ("one", "two"))
    for path, samples in ((one, 1600), (two, 3200)):
        soundfile.write(path, np.zeros(samples), 16000)
    asked, answered = said("user", "what", one), said("assistant", "rain")
    rows = [
        {"id": "a", "messages": [asked, answered], "source": "template", "task": "sec"},
        {
            "id": "b",
            "messages": [said("user", "which", two, one), answered],
            "source": "joined",
            "task": "joined",
        },
        {"id": "c", "messages": [said("user", "hello"), said("assistant", "hi")], "source": "text"},
        {"id": "d", "messages": [asked, answered, said("user", "and", two), said("assistant", "bell")]},
    ]
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "sft"


def test_a_dialogue_made_from_an_example_is_weighed_by_the_examples_languages():
    tasks = load_tasks()
    talk = parse_dialogue({"id": "a", "messages": [said("user", "what", "a.wav"), said("assistant", "sí")]})
    for task, about, expected in (
        ("asr", {"audio_lang": "es", "text_lang": "es"}, "template/asr/es"),
        ("s2tt", {"audio_lang": "es", "text_lang": "en"}, "template/s2tt/es-en"),
        ("sec", {}, "template/sec"),
    ):
        row = tasks[task].sample() | about
        made = replace(talk, about={"source": "template", "task": task, "facts": {"rows": [row]}})
        assert stream(made, tasks) == expected


def test_a_row_is_the_dialogue_in_chatml_with_the_assistants_words_supervised(
    folder, tmp_path, tiny_tokenizer
):
    counts = tokenize_dialogues(folder, tmp_path / "tokens", tiny_tokenizer)
    assert counts == {"template/sec": 1, "joined": 1, "text": 1, "template": 1}
    data = TokenSet(tmp_path / "tokens")
    for row, dialogue in enumerate(read_dialogues(folder / "dialogues.jsonl")):
        encoded = encode_dialogue(dialogue.messages, tiny_tokenizer)
        assert data.text(row).tolist() == encoded.ids
        assert data.supervised(row).tolist() == encoded.trained
        _, audios, samples = data.clips(np.array([row]))
        assert [data.spec(audio) for audio in audios] == encoded.audios
        assert samples.tolist() == [1600 if spec.endswith("one.wav") else 3200 for spec in encoded.audios]
    end = tiny_tokenizer.token_id("<|im_end|>")
    learnt = data.text(3)[data.supervised(3)].tolist()
    assert learnt == [*tiny_tokenizer.encode("rain"), end, *tiny_tokenizer.encode("bell"), end]


def test_an_audio_that_cannot_be_read_names_its_dialogue(folder, tmp_path, tiny_tokenizer):
    (tmp_path / "two.wav").unlink()
    with pytest.raises(ValueError, match=r"dialogues.jsonl: dialogue b: missing file: .*two.wav"):
        tokenize_dialogues(folder, tmp_path / "tokens", tiny_tokenizer)
    assert not (tmp_path / "tokens").exists()


def test_the_command_takes_a_folder_of_dialogues(folder, tmp_path, tiny_tokenizer, capsys):
    args = Namespace(
        source=str(folder), target=str(tmp_path / "out"), tokenizer=tiny_tokenizer.folder, tasks=[]
    )
    main(args)
    assert "4 examples (joined 1, template 1, template/sec 1, text 1)" in capsys.readouterr().out
    args.tasks = ["sec"]
    with pytest.raises(ValueError, match="--tasks is for sets of examples; .*sft holds dialogues"):
        main(args)
