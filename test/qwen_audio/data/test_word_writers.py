import csv
import json
import shutil
import subprocess

import pysrt
import pytest
import webvtt
from praatio import textgrid

from qwen_audio.data.timed_words import Transcript, timed_transcript
from qwen_audio.data.word_files import read_ctm, read_textgrid
from qwen_audio.data.word_writers import FORMATS, write_transcript
from qwen_audio.words import HeardWord

WORDS = [
    ("Please", 0.1, 0.5, 0.93),
    ("enter", 0.5, 0.8012, 0.5),
    ("your", 0.9, 1.1, 1.0),
    ("name.", 1.2, 1.9, 0.25),
]
HAN = [("请", 0.0, 0.3, 0.9), ("输", 0.3, 0.6, 0.8), ("入", 0.6, 0.9, 0.7), ("。", 0.9, 0.9, 0.6)]
ODD = [('say "hi"', 0.0, 1.0, 0.5), ("--> <b>x</b> & {y}", 1.0, 2.0, 0.5), ("a\tb\nc", 2.0, 2.5, 0.5)]


def written(folder, form, words, language="en", seconds=2.5, name="talk"):
    transcript = timed_transcript(name, language, seconds, [HeardWord(*word) for word in words])
    return write_transcript(transcript, folder, name, [form])[0]


def grid_entries(path):
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    return grid, [tuple(entry) for entry in grid.getTier("words").entries]


def test_txt_is_the_text_in_one_line(tmp_path):
    assert written(tmp_path, "txt", WORDS).read_text() == "Please enter your name.\n"
    assert written(tmp_path, "txt", HAN, "zh").read_text() == "请输入。\n"


def test_json_gives_words_times_and_confidences(tmp_path):
    found = json.loads(written(tmp_path, "json", WORDS).read_text())
    assert (found["language"], found["seconds"], found["text"]) == ("en", 2.5, "Please enter your name.")
    assert found["words"][1] == {"word": "enter", "start": 0.5, "end": 0.801, "confidence": 0.5}
    assert len(found["words"]) == 4


def test_a_confidence_that_is_not_known_is_left_out(tmp_path):
    words = [("yes", 0.0, 0.5, None)]
    assert "confidence" not in json.loads(written(tmp_path, "json", words).read_text())["words"][0]
    assert written(tmp_path, "ctm", words).read_text() == "talk 1 0.000 0.500 yes\n"


def test_ctm_lines_have_id_channel_start_duration_word_and_confidence(tmp_path):
    with open(written(tmp_path, "ctm", WORDS), newline="") as stream:
        rows = list(csv.reader(stream, delimiter=" "))
    assert rows[1] == ["talk", "1", "0.500", "0.301", "enter", "0.500"]
    assert [row[4] for row in rows] == ["Please", "enter", "your", "name."]


def test_blanks_in_a_name_or_word_do_not_break_a_ctm_line(tmp_path):
    path = written(tmp_path, "ctm", [("New York", 0.0, 0.5, 1.0)], name="my talk")
    assert path.read_text() == "my_talk 1 0.000 0.500 New_York 1.000\n"


@pytest.mark.parametrize("words, language", [(WORDS, "en"), (HAN[:3], "zh")])
def test_our_own_readers_give_back_the_words_of_ctm_and_textgrid(tmp_path, words, language):
    expected = [(start, round(end, 3), word) for word, start, end, _ in words]
    assert read_ctm(written(tmp_path, "ctm", words, language))["talk"] == expected
    assert read_textgrid(written(tmp_path, "textgrid", words, language)) == expected


def test_praatio_reads_the_textgrid_with_its_silences(tmp_path):
    grid, entries = grid_entries(written(tmp_path, "textgrid", WORDS))
    assert (grid.minTimestamp, grid.maxTimestamp) == (0.0, 2.5)
    assert entries == [
        (0.0, 0.1, ""), (0.1, 0.5, "Please"), (0.5, 0.801, "enter"), (0.801, 0.9, ""), (0.9, 1.1, "your"),
        (1.1, 1.2, ""), (1.2, 1.9, "name."), (1.9, 2.5, ""),
    ]  # fmt: skip


def test_quotes_in_a_textgrid_come_back_as_they_were(tmp_path):
    path = written(tmp_path, "textgrid", ODD)
    assert 'text = "say ""hi"""\n' in path.read_text()  # as Praat writes them; praatio takes single ones too
    _, entries = grid_entries(path)
    assert [label for _, _, label in entries] == ['say "hi"', "--> <b>x</b> & {y}", "a b c"]


def test_words_past_the_end_of_the_recording_lengthen_the_textgrid(tmp_path):
    grid, entries = grid_entries(written(tmp_path, "textgrid", [("yes", 0.0, 1.01, 1.0)], seconds=1.0))
    assert (grid.maxTimestamp, entries) == (1.01, [(0.0, 1.01, "yes")])


def test_pysrt_reads_the_subtitles(tmp_path):
    item = pysrt.open(str(written(tmp_path, "srt", WORDS)))[0]
    assert (item.index, item.start.ordinal, item.end.ordinal, item.text) == (
        1,
        100,
        1900,
        "Please enter your name.",
    )


def test_webvtt_reads_the_subtitles(tmp_path):
    caption = webvtt.read(str(written(tmp_path, "vtt", WORDS)))[0]
    assert (caption.start, caption.end, caption.text) == (
        "00:00:00.100",
        "00:00:01.900",
        "Please enter your name.",
    )


def test_arrows_and_markup_in_words_are_text_in_subtitles(tmp_path):
    items = pysrt.open(str(written(tmp_path, "srt", ODD)))
    assert [(item.text, item.text_without_tags) for item in items] == [
        ('say "hi" --› ‹b›x‹/b› & (y) a b c', 'say "hi" --› ‹b›x‹/b› & (y) a b c')
    ]
    captions = webvtt.read(str(written(tmp_path, "vtt", ODD)))
    shown = 'say "hi" --&gt; &lt;b&gt;x&lt;/b&gt; &amp; {y} a b c'
    assert [caption.raw_text.replace("\n", " ") for caption in captions] == [shown]


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="there is no ffmpeg")
def test_ffmpeg_reads_the_subtitles_too(tmp_path):
    for form in ("srt", "vtt"):
        path = written(tmp_path, form, ODD)
        command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path]
        probe = subprocess.run(command, capture_output=True, text=True, check=True)
        assert [float(line.strip(",")) for line in probe.stdout.split()] == [0.0], form


def test_times_above_an_hour_count_hours(tmp_path):
    words = [("late", 3723.004, 3724.5, 1.0), ("later", 360000.25, 360001.5, 1.0)]
    items = pysrt.open(str(written(tmp_path, "srt", words, seconds=360002)))
    assert [item.start.ordinal for item in items] == [3723004, 360000250]
    captions = webvtt.read(str(written(tmp_path, "vtt", words, seconds=360002)))
    assert [caption.start for caption in captions] == ["01:02:03.004", "100:00:00.250"]


def test_a_label_track_has_start_end_and_word_between_tabs(tmp_path):
    with open(written(tmp_path, "audacity", ODD), newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(float(start), float(end), word) for start, end, word in rows] == [
        (0.0, 1.0, 'say "hi"'), (1.0, 2.0, "--> <b>x</b> & {y}"), (2.0, 2.5, "a b c"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_a_recording_without_words_gives_a_valid_file(tmp_path, form):
    path = written(tmp_path, form, [])
    if form == "textgrid":
        assert grid_entries(path)[1] == [(0.0, 2.5, "")]
    elif form == "vtt":
        assert len(webvtt.read(str(path))) == 0
    elif form == "json":
        assert json.loads(path.read_text())["words"] == []
    else:
        assert path.read_text().strip() == ""


def test_every_format_has_a_file_of_its_own(tmp_path):
    transcript = timed_transcript("talk", "en", 2.5, [HeardWord(*word) for word in WORDS])
    paths = write_transcript(transcript, tmp_path, "talk.v1", list(FORMATS))
    assert len(set(paths)) == len(FORMATS) and all(path.name.startswith("talk.v1.") for path in paths)
    assert sorted(paths) == sorted(tmp_path.iterdir())


def test_without_times_only_text_is_written(tmp_path):
    paths = write_transcript(Transcript("u", "en", 1.0, "go on"), tmp_path, "u", list(FORMATS))
    assert [path.read_text() for path in paths] == ["go on\n"]
