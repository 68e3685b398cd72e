import pytest

from qwen_audio.score.paper import load_paper, own_figures
from qwen_audio.score.registry import METRICS
from qwen_audio.task_spec import load_tasks

SMALL = """
datasets:
  Tones:
    task: asr
    metric: wer
    percent: true
    shown: WER
    columns: [{split: quiet, set: tones_quiet}, {split: loud, set: null}]
tables:
  "3":
    Tones:
      Older: ["12.5", null]
      Own: ["10.0", "4"]
"""


@pytest.fixture
def paper_file(tmp_path):
    """Function (old, new) -> path of SMALL with one change."""

    def write(old="", new=""):
        assert old in SMALL
        (tmp_path / "paper.yaml").write_text(SMALL.replace(old, new) if old else SMALL)
        return tmp_path / "paper.yaml"

    return write


@pytest.fixture
def block(paper_file):
    return load_paper(paper_file())["3"][0]


def row(**changed):
    return {
        "task": "asr", "set": "tones_quiet", "metric": "wer", "protocol": "qwen_audio", "score": 0.125,
        "label_origin": "real", "missing": 0, "left_out": [],
    } | changed  # fmt: skip


def test_every_column_names_a_metric_a_protocol_and_a_task_that_there_is():
    tasks = load_tasks()
    for block in (block for blocks in load_paper().values() for block in blocks):
        for column in block.columns:
            assert column.task in tasks
            assert column.protocol in (None, *METRICS[column.metric].protocols)


def test_no_two_columns_of_a_table_take_the_same_row():
    for blocks in load_paper().values():
        found = [(c.task, c.set, c.rule) for block in blocks for c in block.columns]
        assert len(set(found)) == len(found)


def test_figures_of_one_column_are_printed_with_the_same_places():
    for block in (block for blocks in load_paper().values() for block in blocks):
        for figures in zip(*block.figures.values(), strict=True):
            assert len({len(figure.partition(".")[2]) for figure in figures if figure}) == 1


def test_table_3_has_the_papers_twelve_datasets_with_the_last_model_as_its_own():
    own = {block.columns[0].dataset: block.own for block in load_paper()["3"]}
    assert own["LibriSpeech"] == ["1.8", "4.0", "2.0", "4.2"]
    assert own["NSynth"] == ["0.4742", "0.7882"]
    assert len(own) == 12


def test_table_3_has_every_model_that_mandarin_and_translation_are_compared_with():
    others = {block.columns[0].dataset: list(block.others) for block in load_paper()["3"]}
    assert others["AISHELL-1"] == ["MMSpeech-base", "MMSpeech-large", "Paraformer-large"]
    assert others["CoVoST2"] == ["SALMONN", "SpeechLLaMA", "BLSP"]


def test_the_papers_own_figures_of_a_task_are_those_of_the_first_table_that_has_them():
    assert own_figures("aqa") == {"ClothoAQA test ACC": "0.579", "ClothoAQA test ACC binary": "0.749"}
    assert own_figures("mqa") == {"MusicAVQA audio questions ACC": "0.7211"}
    assert own_figures("asr")["AISHELL-2 Android WER %"] == "3.3"
    assert own_figures("lid") == {}


def test_ours_is_printed_as_the_paper_prints_its_own(block):
    assert block.cell(0, row(score=0.12345)) == "12.3"  # per cent, one place, as 10.0
    assert block.cell(1, row(score=0.125)) == "12"  # no place, as 4


def test_what_is_not_there_says_why(block):
    assert block.cell(0, None) == "absent"
    assert block.cell(1, None) == "closed data"
    assert block.cell(0, row(score=None)) == "undefined"


def test_labels_that_nobody_annotated_and_missing_answers_are_marked(block):
    assert block.cell(0, row(label_origin="real+constructed")) == "12.5 (constructed labels)"
    assert block.cell(0, row(label_origin="constructed+synthetic", missing=3)) == (
        "12.5 (constructed and synthetic labels, 3 not decoded)"
    )


def test_what_of_the_set_is_not_scored_or_cut_is_marked(block):
    assert block.cell(0, row(left_out=["14 not scored", "3 cut to 30 s"])) == (
        "12.5 (14 not scored, 3 cut to 30 s)"
    )


@pytest.mark.parametrize(
    "key, other", [("task", "srwt"), ("set", "x"), ("metric", "cer"), ("protocol", "whisper")]
)
def test_a_row_of_another_task_set_metric_or_protocol_is_not_the_columns(block, key, other):
    assert block.columns[0].is_of(row())
    assert not block.columns[0].is_of(row(**{key: other}))


def test_a_title_says_unit_and_which_way_is_better(block):
    assert block.columns[0].title == "WER % ↓"
    assert block.columns[0].rule == "wer (qwen_audio)"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"12.5", null', '"12.5"', "table 3: Tones: Older has 1 figures for 2 columns; write null for none"),
        ('"12.5"', "12.50", "table 3: Tones: Older has 12.5; put it in quotes"),
        ('"4"]', "null]", "table 3: Tones: Own is last, the paper's own model, and lacks a figure"),
        (
            "    Tones:\n      Older",
            "    Bells:\n      Older",
            "table 3: Bells: no such dataset; known: Tones",
        ),
        ("shown", "show", "dataset Tones: .*'show'; known: dataset, split, task, shown"),
    ],
)
def test_a_fault_of_the_file_is_named_with_its_place(paper_file, old, new, message):
    with pytest.raises(ValueError, match=rf"paper.yaml: {message}"):
        load_paper(paper_file(old, new))
