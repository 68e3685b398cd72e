import pytest
from praatio import textgrid

from qwen_audio.align.aligner import build_aligner
from qwen_audio.align.transcripts import Transcript

WORDS = [(0.3, 0.84, "please"), (1.04, 1.53, "enter"), (1.73, 2.25, "your"), (2.45, 3.05, "number")]
TEXT = "Please enter your number."
TIMED = [(start, end, word) for (start, end, _), word in zip(WORDS, TEXT.split(), strict=True)]


def write_ctm(folder, times):
    lines = (f"{utt} 1 {s} {round(e - s, 3)} {w}\n" for utt, words in times.items() for s, e, w in words)
    (folder / "ctm").write_text("".join(lines))
    return folder / "ctm"


def write_funasr(folder, times):
    lines = (f"{utt} " + "".join(f"{w} {s} {e};" for s, e, w in words) + "\n" for utt, words in times.items())
    (folder / "timestamp").write_text("".join(lines))
    return folder / "timestamp"


def write_textgrid(folder, times):
    for utt, words in times.items():
        grid = textgrid.Textgrid()
        grid.addTier(textgrid.IntervalTier("words", words, 0, 4))
        (folder / "grids" / utt[0]).mkdir(parents=True, exist_ok=True)
        grid.save(
            str(folder / "grids" / utt[0] / f"{utt}.TextGrid"), "long_textgrid", includeBlankSpaces=True
        )
    return folder / "grids"


@pytest.fixture(params=["ctm", "funasr", "textgrid"])
def aligner_of(request, tmp_path):
    """Function (words by id) -> the aligner that reads them back from each form of file."""

    def build(times):
        files = {"ctm": write_ctm, "funasr": write_funasr, "textgrid": write_textgrid}[request.param](
            tmp_path, times
        )
        return build_aligner(request.param, {"files": str(files), "model": None})

    return build


@pytest.fixture
def answers(clip):
    """Function (aligner, transcripts by utterance, **fields) -> (words, reason) of each, in order."""

    def align(aligner, texts, **fields):
        place = {"audio": str(clip[0]), "start": None, "end": None, "language": "en"} | fields
        transcripts = [
            Transcript(utt=utt, **{"recording": utt, "text": text} | place) for utt, text in texts.items()
        ]
        return [answer[1:] for answer in aligner.align_all(transcripts)]

    return align


def test_words_are_found_by_utterance_and_written_as_in_the_transcript(aligner_of, answers):
    aligner = aligner_of({"a": WORDS, "b": [(0.0, 1.0, "no")]})
    assert answers(aligner, {"a": TEXT, "b": "yes", "c": "no"}) == [
        (TIMED, ""),
        ([], "words differ: yes in the transcript, no in the file"),
        ([], "no words of it in the files"),
    ]


def test_what_no_transcript_asked_for_is_told(aligner_of, answers):
    aligner = aligner_of({"a": WORDS, "x-2": WORDS, "x-1": WORDS})
    answers(aligner, {"a": TEXT})
    assert aligner.unused() == ["x-1", "x-2"]


def test_without_a_transcript_the_words_of_the_file_are_it(aligner_of, answers):
    assert answers(aligner_of({"a": WORDS}), {"a": None}) == [(WORDS, "")]


def test_an_unknown_word_is_no_word(aligner_of, answers):
    aligner = aligner_of({"a": [(0.0, 1.0, "<unk>")]})
    assert answers(aligner, {"a": "Xyzzyx"}) == [([], "a word that the aligner did not know: <unk>")]


def test_words_that_pass_the_end_of_the_clip_are_another_clips(aligner_of, answers):
    aligner = aligner_of({"a": [(3.0, 3.9, "yes")]})
    ((words, reason),) = answers(aligner, {"a": "yes"})
    assert not words and reason.startswith("words past the end: yes at 3.0 to 3.9 s of 3.")


def test_chinese_without_its_language_is_refused_with_the_line_to_write(aligner_of, answers):
    aligner = aligner_of({"a": [(0.0, 1.0, "好")]})
    assert answers(aligner, {"a": None}, language="zh") == [([(0.0, 1.0, "好")], "")]
    ((_, reason),) = answers(aligner, {"a": None})
    assert reason == "word of another language than en: 好; write a line `a zh` for it in utt2lang"


@pytest.mark.parametrize("end", [2.3, -1])
def test_a_segment_has_the_words_of_its_part_of_the_recording(aligner_of, answers, end):
    expected = [(0.04, 0.53, "enter"), (0.73, 1.25, "your"), (1.45, 2.05, "number")][: 2 if end > 0 else 3]
    aligner = aligner_of({"rec": WORDS})
    assert answers(aligner, {"u": None}, recording="rec", start=1.0, end=end) == [(expected, "")]
    assert aligner.unused() == []


def test_a_segment_of_silence_has_no_words(aligner_of, answers):
    found = answers(aligner_of({"rec": WORDS}), {"u": None}, recording="rec", start=0.0, end=0.2)
    assert found == [([], "nothing but silence in the files")]


def test_a_folder_without_textgrids_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no NAME.TextGrid in it; give the folder that the aligner wrote"):
        build_aligner("textgrid", {"files": str(tmp_path)})


def test_two_textgrids_of_one_name_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "u.TextGrid").touch()
    with pytest.raises(ValueError, match="b/u.TextGrid: .*a/u.TextGrid has the same name; keep one"):
        build_aligner("textgrid", {"files": str(tmp_path)})


def test_a_broken_textgrid_is_the_reason_of_its_own_utterance(tmp_path, answers):
    folder = write_textgrid(tmp_path, {"a": WORDS})
    (folder / "b.TextGrid").write_text("seven messages")
    aligner = build_aligner("textgrid", {"files": str(folder)})
    (words, _), (_, reason) = answers(aligner, {"a": TEXT, "b": TEXT})
    assert words == TIMED and reason.startswith("unreadable words: ") and "b.TextGrid: no TextGrid" in reason
