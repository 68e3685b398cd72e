import pytest

from qwen_audio.data.default_language import default_language_note


@pytest.mark.parametrize("said", ["hello", "¿qué? 42", "naïve Ångström и", "1 2 3", ""])
def test_text_without_a_language_is_said_to_be_taken_as_english(tmp_path, said):
    (tmp_path / "text").write_text(f"a {said}\n", encoding="utf-8")
    assert default_language_note(tmp_path) == (
        f"{tmp_path} has no utt2lang: its text is taken as English (en)"
    )


@pytest.mark.parametrize(
    "said, script",
    [
        ("今天 ok 天气很好", "Chinese characters"),
        ("добрый день, Bob", "Cyrillic letters"),
        ("नमस्ते", "Devanagari letters"),
        ("สวัสดี", "Thai letters"),
        ("ありがとうございます", "Hiragana letters"),
    ],
)
def test_text_that_is_mostly_in_another_script_is_warned_of_with_the_mend(tmp_path, said, script):
    (tmp_path / "text").write_text(f"a {said}\nb ok\n", encoding="utf-8")
    note = default_language_note(tmp_path)
    assert note.startswith(
        f"warning: {tmp_path} has no utt2lang: its text is taken as English (en), but is mostly"
    )
    assert f"in {script}; " in note and note.endswith(
        f"""awk '{{print $1, "CODE"}}' {tmp_path}/text > {tmp_path}/utt2lang"""
    )


@pytest.mark.parametrize("names", [["text", "utt2lang"], ["examples.jsonl"]])
def test_nothing_is_said_where_a_language_is_named_or_nothing_is_transcribed(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("a zh\n")
    assert default_language_note(tmp_path) == ""
