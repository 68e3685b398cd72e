import matplotlib.image
import numpy as np
import pytest

from qwen_audio.align import fonts
from qwen_audio.align.aligner import build_aligner
from qwen_audio.align.plot import DPI, INCHES_PER_SECOND, draw, plot_data
from qwen_audio.timestamp.attention import Attended

WORDS = [(0.5, 1.25, "please"), (1.25, 1.5, "$5"), (2.0, 3.75, "enter")]
WAVE = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * 16000).astype(np.float32)


def row(utt, **fields):
    return {"utt": utt, "task": "srwt", "audio_lang": "en", "text_lang": "en", "words": WORDS, **fields}


def spans(panel):
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in panel.patches]


def test_every_panel_has_the_words_where_they_are_spoken():
    waveform, spectrogram, words = draw(WAVE, WORDS, "u")[0].axes
    times = [(start, end) for start, end, _ in WORDS]
    assert spans(waveform) == spans(spectrogram) == spans(words) == times
    labels = [(text.get_position()[0], text.get_text()) for text in words.texts]
    assert labels == [(0.875, "please"), (1.375, "$5"), (2.875, "enter")]
    assert waveform.get_title(loc="left") == "u" and waveform.get_xlim() == (0, 8)


def test_the_spectrogram_lies_under_the_sound_it_shows():
    wave = np.zeros(8 * 16000, np.float32)
    wave[48000:64000] = np.sin(np.arange(16000))  # from 3 to 4 s
    image = draw(wave, [], "u")[0].axes[1].images[0]
    left, right, *_ = image.get_extent()
    loud = np.flatnonzero(image.get_array().mean(0) > image.get_array().mean())
    seconds = left + (loud + 0.5) / image.get_array().shape[1] * (right - left)
    assert 2.95 < seconds.min() < 3.05 and 3.95 < seconds.max() < 4.05


def test_attention_is_drawn_with_the_path_that_gave_the_times():
    weights = np.kron(np.eye(3), np.ones((1, 4)))[None]  # three places, each heard in four frames of 0.5 s
    attended = Attended(weights, [b"plea", b"se"], np.ones(2), ["please"], 0.5, 6.0)
    panel = draw(WAVE, WORDS, "u", attended)[0].axes[3]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["plea", "se", "end"]
    (path,) = panel.patches
    steps, edges, _ = path.get_data()
    assert steps.tolist() == [0.5, 1.5, 2.5] and edges.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert (panel.images[0].get_array() == weights[0]).all() and panel.images[0].get_extent()[:2] == [0, 6.0]


def test_an_utterance_is_drawn_with_the_words_that_the_directory_has(make_data, tmp_path):
    data = make_data({"a": None, "b": None}, [row("a"), row("b")])
    assert list(plot_data(data, "b", tmp_path / "b.png")) == [str(tmp_path / "b.png")]
    height, width = matplotlib.image.imread(tmp_path / "b.png").shape[:2]
    assert width == max(800, INCHES_PER_SECOND * 3.35 * DPI) and height > 300


def test_the_first_few_are_drawn_into_a_folder(make_data, tmp_path):
    data = make_data({"a/1": None, "b": None, "c": None}, [row("a/1"), row("b"), row("c")])
    drawn = list(plot_data(data, "2", tmp_path / "pictures"))
    assert drawn == [str(tmp_path / "pictures" / name) for name in ("a%2F1.png", "b.png")]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a%2F1.png", "b.png"]


def test_with_an_aligner_its_words_are_drawn_and_the_directory_stays(make_data, tmp_path):
    data = make_data({"a": "please enter your number", "b": "Xyzzyx"}, [row("a")])
    before = (data / "examples.jsonl").read_bytes()
    drawn = list(plot_data(data, "2", tmp_path / "pictures", build_aligner("pocketsphinx", {})))
    assert drawn == [
        str(tmp_path / "pictures/a.png"),
        "b: no words to draw: not in the dictionary: Xyzzyx",
    ]
    assert (data / "examples.jsonl").read_bytes() == before and not (data / "align_rejected.tsv").exists()


def test_letters_that_no_font_has_are_named_once_without_a_warning_each(
    make_data, tmp_path, recwarn, monkeypatch
):
    monkeypatch.setattr(fonts, "_installed", tuple)
    strange = [(0.5, 1.0, "知"), (1.0, 1.5, "please"), (1.5, 2.0, "道")]
    data = make_data({"a": None, "b": None}, [row("a", words=strange), row("b", words=strange)])
    *drawn, said = plot_data(data, "2", tmp_path)
    assert drawn == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert said.startswith("drawn as boxes, because no installed font has them: 知道; install")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


@pytest.mark.parametrize(
    "which, output, said",
    [
        ("z", "z.png", "data: no z with words"),
        ("a", "pictures", "--plot a --output .*pictures: write a file, a.png, or a number and a folder"),
        ("0", "pictures", "--plot 0 --output"),
    ],
)
def test_what_cannot_be_drawn_is_told(make_data, tmp_path, which, output, said):
    with pytest.raises(ValueError, match=said):
        list(plot_data(make_data({"a": None}, [row("a")]), which, tmp_path / output))


def test_the_reason_of_an_utterance_without_words_is_told(make_data, tmp_path):
    data, sphinx = make_data({"a": "Xyzzyx"}), build_aligner("pocketsphinx", {})
    with pytest.raises(ValueError, match="a has no words to draw: not in the dictionary: Xyzzyx"):
        list(plot_data(data, "a", tmp_path / "a.png", sphinx))
