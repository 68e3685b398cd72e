import pytest

from qwen_audio.align.aligner import build_aligner
from qwen_audio.align.write import align_data

TEXT = "Please enter your number."


def example(utt, task, lang, **fields):
    return {"utt": utt, "task": task, "audio_lang": lang, "text_lang": lang, **fields}


def rejected(data):
    return [tuple(line.split("\t")) for line in (data / "align_rejected.tsv").read_text().splitlines()]


def ctm(tmp_path, lines):
    (tmp_path / "ctm").write_text(lines, encoding="utf-8")
    return build_aligner("ctm", {"files": str(tmp_path / "ctm")})


@pytest.fixture
def sphinx():
    return build_aligner("pocketsphinx", {})


def test_transcripts_get_words_and_all_read_are_aligned_or_listed(make_data, sphinx, rows_of):
    data = make_data({"a": TEXT, "b": "Xyzzyx", "c": None, "d": "please enter"})
    assert align_data(data, "pocketsphinx", sphinx) == {"read": 4, "aligned": 2, "rejected": 2}
    a, d = rows_of(data)
    assert (a["utt"], a["task"], a["audio_lang"], a["text_lang"]) == ("a", "srwt", "en", "en")
    assert (a["label_origin"], a["aligner"]) == ("constructed", "pocketsphinx")
    assert [word for *_, word in a["words"]] == TEXT.split() and d["utt"] == "d"
    no_transcript, no_word = (
        ("utterance", "c", "no transcript"),
        ("utterance", "b", "not in the dictionary: Xyzzyx"),
    )
    assert rejected(data) == [no_word, no_transcript]


def test_other_rows_stay_as_they_are_and_all_are_in_the_order_of_utterances(make_data, sphinx, rows_of):
    rows = [
        {"utt": "a", "task": "lid", "label": "English"},
        example("b", "asr", "en", text="please"),
        example("b", "s2tt", "en", text="s'il vous plaît") | {"text_lang": "fr"},
        example("c", "srwt", "fr", words=[[0.0, 1.0, "oui"]], aligner="model"),
    ]
    data = make_data({"a": TEXT, "b": None, "c": None}, rows)
    align_data(data, "pocketsphinx", sphinx, "en")
    found = rows_of(data)
    assert [row for row in found if row.get("aligner") != "pocketsphinx"] == rows
    assert [(row["utt"], row["task"]) for row in found] == [
        *[("a", "lid"), ("a", "srwt")],
        *[("b", "asr"), ("b", "s2tt"), ("b", "srwt")],
        ("c", "srwt"),
    ]


def test_word_times_from_elsewhere_stay_and_their_utterance_is_listed(make_data, sphinx, rows_of):
    by_hand = example("b", "srwt", "en", words=[[0.3, 0.8, "please"]])
    data = make_data({"a": TEXT, "b": "please"}, [by_hand])
    assert align_data(data, "pocketsphinx", sphinx) == {"read": 2, "aligned": 1, "rejected": 1}
    assert rows_of(data)[1:] == [by_hand]
    assert rejected(data) == [("utterance", "b", "word times are there already, from elsewhere")]


def test_a_second_run_gives_the_same_file(make_data, sphinx):
    data = make_data({"a": TEXT, "b": "Xyzzyx"}, [{"utt": "b", "task": "lid", "label": "English"}])
    align_data(data, "pocketsphinx", sphinx)
    first = (data / "examples.jsonl").read_bytes()
    align_data(data, "pocketsphinx", sphinx)
    assert (data / "examples.jsonl").read_bytes() == first
    assert sorted(path.name for path in data.iterdir()) == [
        *["align_rejected.tsv", "examples.jsonl", "text", "utt2spk", "wav.scp"]
    ]


def test_words_of_the_same_aligner_go_where_it_finds_none_any_more_and_anothers_stay(
    make_data, sphinx, rows_of, tmp_path
):
    data = make_data({"a": TEXT, "b": "please", "c": "enter"})
    align_data(data, "pocketsphinx", sphinx)
    make_data({"a": TEXT, "b": "please", "c": "Xyzzyx"})  # a transcript is corrected
    align_data(data, "pocketsphinx", sphinx)
    assert [row["utt"] for row in rows_of(data)] == ["a", "b"]
    align_data(data, "ctm", ctm(tmp_path, "b 1 0.5 0.25 please\nc 1 0 1 other\n"))
    assert [(row["utt"], row["aligner"]) for row in rows_of(data)] == [("a", "pocketsphinx"), ("b", "ctm")]
    assert rows_of(data)[1]["words"] == [[0.5, 0.75, "please"]]


def test_words_that_training_could_not_use_are_listed_with_what_is_wrong(make_data, tmp_path, rows_of):
    data = make_data({"a": "please enter", "b": "yes"})
    lines = "a 1 0.5 1.0 please\na 1 1.0 1.0 enter\nb 1 0 1 yes\nz 1 0 1 no\n"
    align_data(data, "ctm", ctm(tmp_path, lines))
    assert [row["utt"] for row in rows_of(data)] == ["b"]
    (_, name, reason), unused = rejected(data)
    assert name == "a" and "unusable words" in reason and "times run backwards" in reason
    assert unused == ("words", "z", "words that no transcript asked for")


def test_where_nothing_can_be_aligned_the_examples_stay_and_the_reason_is_told(make_data, sphinx):
    data = make_data({"a": "Xyzzyx"}, [{"utt": "a", "task": "lid", "label": "English"}])
    before = (data / "examples.jsonl").read_bytes()
    with pytest.raises(
        ValueError, match="nothing was aligned of 1 transcripts; .*align_rejected.tsv says why"
    ):
        align_data(data, "pocketsphinx", sphinx)
    assert (data / "examples.jsonl").read_bytes() == before and rejected(data)[0][1] == "a"
    with pytest.raises(ValueError, match="nothing was aligned of 0 transcripts in fr"):
        align_data(data, "pocketsphinx", sphinx, "fr")


def test_a_broken_row_ends_it_before_anything_is_aligned(make_data, tmp_path):
    data = make_data({"a": TEXT}, [{"utt": "a", "task": "assr"}])
    aligner = ctm(tmp_path, "a 1 0 1 please\n")
    with pytest.raises(ValueError, match="examples.jsonl:1: unknown task 'assr'"):
        align_data(data, "ctm", aligner)
    assert aligner.unused() == ["a"]
