import json

import pytest

from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.tokenize import tokenize
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
EXAMPLES = [
    {"utt": "a", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "dog"},
    {"utt": "a", "task": "lid", "label": "English"},
    {"utt": "c", "task": "sec", "label": "rain"},
]


@pytest.fixture
def formatted(tmp_path):
    """A set of three clips, the second without an example."""
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in EXAMPLES))
    (folder / "wav.scp").write_text("a a b.flac\nb b.flac\nc c.flac\n")
    (folder / "utt2num_samples").write_text("a 1600\nb 3200\nc 4800\n")
    return folder


def test_a_row_is_prompt_with_the_audios_place_then_answer_and_end(formatted, tmp_path, tiny_tokenizer):
    t = tiny_tokenizer
    tokenize(formatted, tmp_path / "tokens", t, TASKS)
    data = TokenSet(tmp_path / "tokens")
    (row,) = data.rows_of("asr/en").tolist()
    tags = [
        "<audio>",
        "[[[AUDIO:modality]]]",
        "</audio>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|transcribe|>",
    ]
    tags += ["<|en|>", "<|notimestamps|>", "<|wo_itn|>"]
    prompt = [t.token_id(name) for name in tags]
    assert data.text(row).tolist() == prompt + t.encode("dog") + [t.end]
    assert data.rows[row]["prompt"] == len(prompt)


def test_every_row_of_a_clip_carries_its_transcript_for_ctc_and_its_own_audio(
    formatted, tmp_path, tiny_tokenizer
):
    tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, TASKS)
    data = TokenSet(tmp_path / "tokens")
    (lid,), (sec,) = data.rows_of("lid").tolist(), data.rows_of("sec").tolist()
    assert data.ctc(lid).tolist() == tiny_tokenizer.encode("dog") and data.ctc(sec).tolist() == []
    assert (data.audio_spec(lid), data.audio_spec(sec)) == ("a b.flac", "c.flac")
    assert [int(data.rows[row]["samples"]) for row in (lid, sec)] == [1600, 4800]


@pytest.mark.parametrize("blank", ["\u3000", "\u00a0", "\u2028"])
def test_an_id_may_hold_a_blank_that_is_not_ascii(formatted, tmp_path, tiny_tokenizer, blank):
    for name in ("examples.jsonl", "wav.scp", "utt2num_samples"):
        path = formatted / name
        text = path.read_text().replace('"utt": "c"', f'"utt": "c{blank}1"')
        path.write_text(text.replace("c c.flac", f"c{blank}1 c.flac").replace("c 48", f"c{blank}1 48"))
    tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, TASKS)
    data = TokenSet(tmp_path / "tokens")
    (sec,) = data.rows_of("sec").tolist()
    assert (data.utt_id(sec), data.audio_spec(sec), int(data.rows[sec]["samples"])) == (
        f"c{blank}1", "c.flac", 4800,
    )  # fmt: skip


def test_only_the_tasks_named_are_taken_and_the_others_counted(formatted, tmp_path, tiny_tokenizer, capsys):
    assert tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, TASKS, ["lid"]) == {"lid": 1}
    assert f"{formatted}: left out by --tasks: asr 1, sec 1\n" in capsys.readouterr().out
    tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, TASKS)
    assert "left out" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="'lidd' has no recipes/tasks/lidd.yaml, nor tasks/lidd.yaml here"):
        tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, TASKS, ["lidd"])


def test_a_set_with_a_task_of_another_recipe_names_it(formatted, tmp_path, tiny_tokenizer):
    known = {name: spec for name, spec in TASKS.items() if name != "lid"}
    with pytest.raises(ValueError, match="examples.jsonl: task 'lid' is unknown.* copy tasks/lid.yaml"):
        tokenize(formatted, tmp_path / "tokens", tiny_tokenizer, known)
