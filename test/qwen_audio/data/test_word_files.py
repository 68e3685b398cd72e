import json

import pytest
from praatio import textgrid

from qwen_audio.data.word_files import read_ctm, read_funasr, read_textgrid
from qwen_audio.task_fields import KINDS


def write(path, content, encoding="utf-8"):
    path.write_text(content, encoding=encoding)
    return path


def grid_of(path, form, tiers):
    """A TextGrid that praatio writes: form long_textgrid, short_textgrid; tiers name -> intervals."""
    grid = textgrid.Textgrid()
    for name, entries in tiers.items():
        grid.addTier(textgrid.IntervalTier(name, entries, 0, 2))
    grid.save(str(path), format=form, includeBlankSpaces=True)
    return path


def test_a_ctm_gives_starts_and_durations_as_starts_and_ends(tmp_path):
    lines = ";; decoded\nu1 1 0.20 0.31 please 1.00\nu1 1 0.51 0.40 enter\nu2 A 0.0 1 a\n"
    words = {"u1": [(0.2, 0.51, "please"), (0.51, 0.91, "enter")], "u2": [(0.0, 1.0, "a")]}
    assert read_ctm(write(tmp_path / "ctm", lines)) == words


def test_a_blank_that_is_not_ascii_ends_no_field(tmp_path):
    assert read_ctm(write(tmp_path / "ctm", "u\u3000 1 0 1 10\u00a0000 0.9\n")) == {
        "u\u3000": [(0.0, 1.0, "10 000")]
    }


def test_a_word_of_a_ctm_that_rounding_makes_too_long_ends_where_the_next_begins(tmp_path):
    said = [("0.10", "0.21"), ("0.30", "0.196"), ("0.495", "0.01"), ("0.495", "0.105")]
    lines = [f"u 1 {start} {seconds} {word}\n" for (start, seconds), word in zip(said, "abcd", strict=True)]
    words = read_ctm(write(tmp_path / "ctm", "".join(lines)))["u"]
    assert [end for _, end, _ in words] == [0.3, 0.495, 0.495, 0.6]
    assert KINDS["words"].fault([list(word) for word in words]) == ""


def test_words_of_a_ctm_that_overlap_by_more_than_rounding_stay_so(tmp_path):
    ctm = write(tmp_path / "ctm", "u 1 0.1 0.22 a\nu 1 0.3 0.2 b\n")
    assert read_ctm(ctm)["u"] == [(0.1, 0.32, "a"), (0.3, 0.5, "b")]


def test_silence_of_any_aligner_is_no_word(tmp_path):
    ctm = write(tmp_path / "ctm", "u 1 0 1 <eps>\nu 1 1 1 SIL\nu 1 2 1 !SIL\nu 1 3 1 silly\n")
    assert read_ctm(ctm) == {"u": [(3.0, 4.0, "silly")]}


def test_words_of_a_ctm_come_in_the_order_of_time(tmp_path):
    ctm = write(tmp_path / "ctm", "u 1 5.0 0.5 second\nu 1 0.5 0.5 first\n")
    assert [word for _, _, word in read_ctm(ctm)["u"]] == ["first", "second"]


@pytest.mark.parametrize("line", ["u 1 0.2 word", "u 1 0.2 x word", "u 1 -1 1 word", "u 1 nan 1 word"])
def test_a_broken_ctm_line_is_named_with_the_form_it_should_have(tmp_path, line):
    with pytest.raises(ValueError, match=r"ctm:2: .* write ID CHANNEL START_S DURATION_S WORD"):
        read_ctm(write(tmp_path / "ctm", f"u 1 0 0.1 a\n{line}\n"))


def test_two_channels_of_one_id_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ctm:2: u has channels A and B; give each channel its own id"):
        read_ctm(write(tmp_path / "ctm", "u A 0 1 a\nu B 0 1 b\n"))


def test_a_file_in_another_encoding_is_named_with_the_mend(tmp_path):
    with pytest.raises(ValueError, match="ctm: not UTF-8 .* iconv -f gb18030"):
        read_ctm(write(tmp_path / "ctm", "u 1 0 1 面\n", "gb18030"))


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_both_forms_of_a_textgrid_give_the_words_of_its_word_tier(tmp_path, form):
    tiers = {"words": [(0.1, 0.5, "seven"), (0.5, 0.9, "new")], "phones": [(0.1, 0.9, "s")]}
    path = grid_of(tmp_path / "a.TextGrid", form, tiers)
    assert read_textgrid(path) == [(0.1, 0.5, "seven"), (0.5, 0.9, "new")]


def test_a_textgrid_in_utf16_is_read_too(tmp_path):
    path = grid_of(tmp_path / "a.TextGrid", "long_textgrid", {"words": [(0, 1, "机器")]})
    assert read_textgrid(write(path, path.read_text(encoding="utf-8"), "utf-16")) == [(0.0, 1.0, "机器")]


def test_the_tier_of_a_named_speaker_is_found(tmp_path):
    tiers = {"ann - words": [(0, 1, "yes")], "ann - phones": [(0, 1, "j")]}
    assert read_textgrid(grid_of(tmp_path / "a.TextGrid", "long_textgrid", tiers)) == [(0.0, 1.0, "yes")]


@pytest.mark.parametrize("names", [("phones",), ("ann - words", "bob - words")])
def test_a_textgrid_without_one_tier_of_words_is_refused_with_its_tiers(tmp_path, names):
    path = grid_of(tmp_path / "a.TextGrid", "long_textgrid", {name: [(0, 1, "x")] for name in names})
    said = rf"a\.TextGrid: tiers {', '.join(names)}; one is to be called words"
    with pytest.raises(ValueError, match=said):
        read_textgrid(path)


@pytest.mark.parametrize("content", ["", "seven messages", "xmin = 0\nitem []:\n", "[1]", "{}"])
def test_a_file_that_is_no_textgrid_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"a\.TextGrid: (no TextGrid|tiers none)"):
        read_textgrid(write(tmp_path / "a.TextGrid", content))


def test_lines_of_funasr_and_what_its_models_return_are_the_same_words(tmp_path):
    words = {"u1": [(0.54, 0.86, "面"), (0.86, 1.17, "条")], "u2": [(0.0, 0.3, "好")]}
    lines = "u1 <sil> 0.000 0.540;面 0.540 0.860;条 0.860 1.170;\nu2 好 0.000 0.300;\n"
    rows = [
        {"key": "u1", "text": "面 条", "timestamp": [[540, 860], [860, 1170]]},
        {"key": "u2", "text": "好", "timestamp": [[0, 300]]},
    ]
    assert read_funasr(write(tmp_path / "a", lines)) == words
    assert read_funasr(write(tmp_path / "b", json.dumps(rows))) == words
    assert read_funasr(write(tmp_path / "c", "".join(json.dumps(row) + "\n" for row in rows))) == words


def test_word_pieces_become_words(tmp_path):
    path = write(tmp_path / "timestamp", "u hel@@ 0.1 0.2;lo 0.2 0.4;there 0.5 0.9;\n")
    assert read_funasr(path) == {"u": [(0.1, 0.4, "hello"), (0.5, 0.9, "there")]}


def test_more_tokens_than_times_name_the_utterance_and_both_numbers(tmp_path):
    row = '{"key": "u", "text": "面 条 。", "timestamp": [[0, 1], [1, 2]]}\n'
    path = write(tmp_path / "timestamp", row)
    with pytest.raises(ValueError, match="timestamp:1: u has 3 tokens, 2 times; .* without punctuation"):
        read_funasr(path)


def test_an_utterance_that_stands_twice_is_named(tmp_path):
    with pytest.raises(ValueError, match="timestamp:2: u is there twice"):
        read_funasr(write(tmp_path / "timestamp", "u a 0 1;\nu b 0 1;\n"))


@pytest.mark.parametrize(
    "content, said",
    [
        ("u a 0.1;\n", "timestamp:1: 'a 0.1' of u; write UTT token start_s end_s"),
        ('{"text": "a"}\n', 'timestamp:1: .*write {"key", "text", "timestamp"'),
        ("[1]", 'timestamp:1: 1; write {"key"'),
        ('{"key": \n', "timestamp: not JSON"),
    ],
)
def test_what_is_not_funasrs_is_named_with_the_form_it_should_have(tmp_path, content, said):
    with pytest.raises(ValueError, match=said):
        read_funasr(write(tmp_path / "timestamp", content))
