import json
from types import SimpleNamespace

import pytest

from qwen_audio.data.kaldi_dir import KaldiDir, join, read_table


def task(*fields: str, optional_fields=()) -> SimpleNamespace:
    """A stand-in for TaskSpec that knows two languages and wants labels to be text."""

    def check(row):
        for name in fields:
            if name.endswith("_lang") and row[name] not in ("en", "es"):
                raise ValueError(f"{name} {row[name]!r} has no language token; known: en, es")
            if not isinstance(row[name], str):
                raise ValueError(f"field {name!r} is {row[name]!r}; write a text")

    return SimpleNamespace(fields=list(fields), optional_fields=optional_fields, check=check)


TASKS = {"asr": task("audio_lang", "text_lang", "text"), "sec": task("label"), "aac": task("text")}


@pytest.fixture
def data(tmp_path):
    """Two good utterances; a test overwrites a file with what it is about."""
    write(tmp_path, "wav.scp", "a /x/a.flac", "b /x/b.flac")
    write(tmp_path, "utt2spk", "a s1", "b s2")
    write(tmp_path, "text", "a hello", "b good  day")
    return tmp_path


def write(folder, name, *lines):
    (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def read(folder):
    return {utt.id: utt for utt in KaldiDir(folder, TASKS).utterances()}


def fault(folder) -> str:
    with pytest.raises(ValueError) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_text_file_is_asr_data(data):
    found = read(data)
    assert list(found) == ["a", "b"]
    utt = found["b"]
    assert (utt.recording, utt.audio, utt.start, utt.speaker) == ("b", "/x/b.flac", None, "s2")
    assert utt.reason == ""
    assert utt.examples == [
        {"utt": "b", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "good  day"}
    ]


def test_texts_are_composed_and_ids_and_unknown_keys_stay_as_they_are(data):
    accented, korean = "cha\u0300o", "\u1112\u1161\u11ab"  # as macOS spells file names: chào, 한
    write(data, "wav.scp", f"{accented} /x/{accented}.flac")
    write(data, "utt2spk", f"{accented} {accented}")
    write(data, "text", f"{accented} {accented} {korean}")
    rows = [
        {"task": "sec", "label": [[0.5, 1, accented]], "place": korean, "file": accented},
        {"task": "aac", "text": korean},
    ]
    write(data, "examples.jsonl", *(json.dumps({"utt": accented, **row}) for row in rows))
    timed = task("label", optional_fields=["place"])
    timed.check = lambda row: None
    (utt,) = KaldiDir(data, {**TASKS, "sec": timed}).utterances()
    assert (utt.id, utt.speaker, utt.audio) == (accented, accented, f"/x/{accented}.flac")
    asr, sec, aac = utt.examples
    assert {asr["utt"], sec["utt"], aac["utt"]} == {accented}
    assert (asr["text"], aac["text"]) == ("chào 한", "한")
    assert sec == {**rows[0], "utt": accented, "label": [[0.5, 1, "chào"]], "place": "한"}


def test_utt2lang_gives_the_language_of_both_sides(data):
    write(data, "utt2lang", "a es", "b en")
    assert [read(data)[u].examples[0]["audio_lang"] for u in "ab"] == ["es", "en"]
    assert read(data)["a"].examples[0]["text_lang"] == "es"


def test_an_unknown_language_names_its_line(data):
    write(data, "utt2lang", "a en", "b xx")
    assert fault(data).startswith(f"{data}/utt2lang:2: audio_lang 'xx' has no language token")


def test_an_utterance_without_a_language_is_counted_where_others_have_one(data):
    write(data, "utt2lang", "a en")
    assert read(data)["b"].reason == "no language: not in utt2lang"


def test_rows_of_examples_follow_the_text(data):
    rows = ['{"utt": "b", "task": "sec", "label": "dog"}', '{"utt": "b", "task": "aac", "text": "a dog"}']
    write(data, "examples.jsonl", *rows)
    assert [row["task"] for row in read(data)["b"].examples] == ["asr", "sec", "aac"]


def test_examples_alone_are_enough(data):
    (data / "text").unlink()
    write(data, "examples.jsonl", '{"utt": "a", "task": "sec", "label": "dog"}')
    found = read(data)
    assert found["a"].examples == [{"utt": "a", "task": "sec", "label": "dog"}]
    assert found["b"].reason == "no label: not in text or examples"


def test_segments_name_recording_and_times(data):
    write(data, "wav.scp", "r1 /x/r1.wav", "r2 f.ark:12")
    write(data, "segments", "a r2 0.5 2", "b r1 1 -1")
    found = read(data)
    assert (found["a"].recording, found["a"].audio) == ("r2", "f.ark:12")
    assert (found["a"].start, found["a"].end) == (0.5, 2.0)
    assert (found["b"].audio, found["b"].end) == ("/x/r1.wav", -1)


def test_ids_are_split_at_ascii_blanks_alone(data):
    for name in ("utt2spk", "text"):
        write(data, name, "a\u3000 hello", "b\u00a01 you")
    write(data, "wav.scp", "r\u30001 /x/r1.wav")
    write(data, "segments", "a\u3000 r\u30001 0.5 2", "b\u00a01 r\u30001 1 -1")
    found = read(data)
    assert [(utt, cut.recording, cut.start) for utt, cut in found.items()] == [
        ("a\u3000", "r\u30001", 0.5), ("b\u00a01", "r\u30001", 1.0),
    ]  # fmt: skip


def test_an_id_in_text_only_is_counted(data):
    write(data, "text", "a hello", "b you", "c where")
    assert read(data)["c"].reason == "no audio: not in wav.scp"
    assert len(read(data)["c"].examples) == 1


def test_a_segment_of_a_recording_that_is_nowhere_is_counted(data):
    write(data, "segments", "a r9 0 1", "b b 1 1")
    found = read(data)
    assert found["a"].reason == "no audio: recording r9 is not in wav.scp"
    assert found["b"].reason == "zero length: segment from 1.0 to 1.0 s"


def test_an_utterance_without_a_speaker_is_counted(data):
    write(data, "utt2spk", "a s1")
    assert read(data)["b"].reason == "no speaker: not in utt2spk"


def test_an_empty_text_is_counted(data):
    write(data, "text", "a", "b you")
    utt = read(data)["a"]
    assert utt.examples == [] and utt.refused == [("asr", "empty text: task asr")]
    assert utt.reason == "empty text: task asr"


def test_an_example_that_is_unusable_leaves_the_others_of_its_utterance(data):
    write(data, "text", "a", "b you")
    rows = ['{"utt": "a", "task": "sec", "label": "dog"}', '{"utt": "a", "task": "sec", "label": 7}']
    write(data, "examples.jsonl", *rows)
    utt = read(data)["a"]
    assert [row["label"] for row in utt.examples] == ["dog"] and not utt.reason
    bad = ("sec", "bad field: field 'label' is 7; write a text")
    assert utt.refused == [("asr", "empty text: task asr"), bad]


def test_a_tag_in_text_is_counted(data):
    write(data, "text", "a <|en|> hello", "b you")
    assert read(data)["a"].reason.startswith("tag in text: '<|en|> hello'")


def test_ids_are_ordered_by_byte_and_not_by_locale(data):
    for name in ("wav.scp", "utt2spk", "text"):
        write(data, name, "B-1 x", "B1 x", "a x", "é x", "中 x")
    assert list(read(data)) == ["B-1", "B1", "a", "é", "中"]


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "text", "utt2lang", "segments"])
def test_wrong_order_names_file_line_and_mend(data, name):
    write(data, name, "b en 0 1", "a en 0 1")
    if name == "segments":
        write(data, "wav.scp", "en /x/en.flac")
    message = fault(data)
    assert message.startswith(f"{data}/{name}:2: 'a' comes after 'b'")
    assert f"LC_ALL=C sort -o {data}/{name} {data}/{name}" in message


def test_the_mend_of_wrong_order_mends_it(data):
    import re
    import subprocess

    write(data, "text", "b x", "é x", "a x", "a-b x")
    command = re.search("`(.*)`", fault(data))[1]
    subprocess.run(command, shell=True, check=True)
    assert [name for name, _ in read_table(data / "text")] == ["a", "a-b", "b", "é"]


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "text"])
def test_a_duplicate_names_file_and_line(data, name):
    write(data, name, "a x", "b x", "b y")
    assert fault(data).startswith(f"{data}/{name}:3: 'b' is there twice")


def test_text_that_is_not_utf8_names_line_byte_and_column(data):
    (data / "text").write_bytes("a hello\nb caf\xe9\n".encode("latin1"))
    message = fault(data)
    assert message.startswith(f"{data}/text:2: not UTF-8 (byte 0xe9 at column 6)")
    assert f"iconv -f latin1 -t utf-8 {data}/text" in message


def test_a_byte_order_mark_is_named(data):
    (data / "text").write_bytes("\ufeffa hello\n".encode())
    assert fault(data).startswith(f"{data}/text:1: begins with a byte order mark")


def test_an_empty_line_is_named(data):
    write(data, "text", "a hello", "", "b you")
    assert fault(data) == f"{data}/text:2: empty line; remove it"


def test_an_id_without_audio_file_is_named(data):
    write(data, "wav.scp", "a /x/a.flac", "b")
    assert fault(data).startswith(f"{data}/wav.scp:2: no audio file after the id")


def test_a_command_of_wav_scp_is_the_audio_as_it_stands(data):
    write(data, "wav.scp", "a sph2pipe -f wav a.sph |", "b /x/b.flac")
    assert read(data)["a"].audio == "sph2pipe -f wav a.sph |" and not read(data)["a"].reason


@pytest.mark.parametrize("rest", ["", "b", "b 0", "b 0 x", "b 0 1 2", "b nan 1", "b -2 1", "b 0 -3"])
def test_a_malformed_segment_is_named(data, rest):
    write(data, "segments", f"a {rest}")
    assert fault(data).startswith(f"{data}/segments:1: ")


@pytest.mark.parametrize(
    "row, words",
    [
        ("{'utt': 1}", "not JSON"),
        ('["a"]', "has no 'utt'"),
        ('{"task": "sec", "label": "dog"}', "has no 'utt'"),
        ('{"utt": "b", "task": "sce", "label": "dog"}', "unknown task 'sce'; known: aac, asr, sec"),
        ('{"utt": "b", "label": "dog"}', "unknown task None"),
        ('{"utt": "b", "task": ["sec"]}', "unknown task ['sec']"),
        (r'{"utt": "b", "task": "sec", "label": "\ud83d x"}', "holds half a surrogate pair"),
        (r'{"utt": "\ud83d", "task": "sec", "label": "x"}', "holds half a surrogate pair"),
        ('{"utt": "b", "task": "sec"}', "task sec needs the field 'label'"),
        ('{"utt": "Z", "task": "sec", "label": "dog"}', "'Z' comes after 'a'; write the rows in"),
    ],
)
def test_a_bad_row_of_examples_is_named(data, row, words):
    write(data, "examples.jsonl", '{"utt": "a", "task": "sec", "label": "dog"}', row)
    message = fault(data)
    assert message.startswith(f"{data}/examples.jsonl:2: ") and words in message


def test_a_whole_surrogate_pair_is_a_character(data):
    write(data, "examples.jsonl", r'{"utt": "a", "task": "sec", "label": "\ud83d\ude00"}')
    assert read(data)["a"].examples[1]["label"] == "😀"


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk"])
def test_a_file_that_must_be_there_is_named(data, name):
    (data / name).unlink()
    assert fault(data).startswith(f"{data}/{name} does not exist")


def test_a_directory_without_any_label_is_refused(data):
    (data / "text").unlink()
    assert "neither text nor examples.jsonl" in fault(data)


def test_lines_may_end_as_on_windows_and_ids_may_be_followed_by_tabs(data):
    (data / "text").write_bytes(b"a\thello\r\nb you\r\n")
    assert [read(data)[u].examples[0]["text"] for u in "ab"] == ["hello", "you"]


def test_a_wide_blank_belongs_to_the_text(data):
    write(data, "text", "a\u3000x hello", "b you")
    assert next(read_table(data / "text"))[0] == "a\u3000x"


def test_join_is_an_outer_join():
    tables = {"x": iter([("a", 1), ("c", 2)]), "y": iter([("b", 3), ("c", 4)]), "z": iter([])}
    assert list(join(tables)) == [("a", {"x": 1}), ("b", {"y": 3}), ("c", {"x": 2, "y": 4})]
