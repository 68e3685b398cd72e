import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_audio.tags import LANGUAGES, SPECIAL_TOKENS, TIMES
from qwen_audio.task_spec import WORDS, load_tasks

TASKS = load_tasks()
OTHERS = ["{text}", "{", "<|", "|>", "none"]
EXAMPLES = settings(max_examples=20)  # of each of the 30 tasks
TAG_LIKE = st.sampled_from([*SPECIAL_TOKENS[:300], *TIMES[:50], *SPECIAL_TOKENS[-320:], *OTHERS])
TEXTS = st.lists(st.one_of(TAG_LIKE, st.text(min_size=1)), min_size=1, max_size=4)
USER_TEXT = TEXTS.map("".join).filter(str.strip)


def times(overlap: bool):
    """Rows of [start_s, end_s, text] in hundredths of a second, by start."""
    steps = st.tuples(st.integers(0, 60), st.integers(0, 60), USER_TEXT)

    def lay_out(steps):
        found, now = [], 0
        for gap, length, text in steps:
            found.append([(now + gap) / 100, (now + gap + length) / 100, text])
            now += gap + (0 if overlap else length)
        return found

    return st.lists(steps, min_size=0 if overlap else 1, max_size=12).map(lay_out)


VALUES = {
    "text": USER_TEXT,
    "number": st.integers(0, 127),
    "listed": st.lists(USER_TEXT.map(lambda text: text.replace(",", "-")), min_size=1, max_size=4),
    "texts": st.lists(USER_TEXT, min_size=1, max_size=4),
    "segments": times(overlap=True),
    "words": times(overlap=False),
    "pairs": st.lists(st.tuples(USER_TEXT, USER_TEXT).map(list), max_size=4),
}


def rows(spec):
    """Examples of a task with any text in every field; the optional ones are there or not."""

    def values(name):
        if name.endswith("_lang"):
            return st.sampled_from(sorted(LANGUAGES))
        return VALUES[spec.kinds.get(name, WORDS if spec.target == name else "text")]

    required = {name: values(name) for name in spec.fields}
    return st.fixed_dictionaries(required, optional={name: values(name) for name in spec.optional_fields})


def plain(value):
    """A value as it is read back: white space around texts is no part of them."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.strip() if isinstance(value, str) else value


def replaced(value, text):
    """A value with every text in it replaced."""
    if isinstance(value, list):
        return [replaced(item, text) for item in value]
    return text if isinstance(value, str) else value


def texts_of(value) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_accepts_its_example_and_says_which_fields_it_needs(task):
    spec, row = TASKS[task], TASKS[task].sample()
    spec.check(row)
    for name in spec.fields:
        with pytest.raises(ValueError, match=f"task {task} needs the field '{name}'; the example has"):
            spec.check({key: value for key, value in row.items() if key != name})


@pytest.mark.parametrize("task", TASKS)
@EXAMPLES
@given(data=st.data())
def test_a_tag_in_a_users_text_is_text(tiny_tokenizer, task, data):
    """Whatever the texts hold, the tags of a sequence are those it has with harmless texts."""
    spec, row = TASKS[task], data.draw(rows(TASKS[task]))
    languages = {name: value for name, value in row.items() if name.endswith("_lang")}
    harmless = {name: replaced(value, "x") for name, value in row.items()} | languages
    special = {tiny_tokenizer.token_id(name): name for name in SPECIAL_TOKENS}
    for pieces in (spec.prompt_pieces, spec.target_pieces):
        tags = [text for text, is_tag in pieces(harmless) if is_tag]
        assert [text for text, is_tag in pieces(row) if is_tag] == tags
        ids = tiny_tokenizer.encode_pieces(pieces(row))
        assert [special[id] for id in ids if id in special] == tags


@pytest.mark.parametrize("task", TASKS)
@EXAMPLES
@given(data=st.data())
def test_what_a_task_accepts_is_read_back_from_its_tokens(tiny_tokenizer, task, data):
    """Fields -> pieces -> tokens -> text -> fields; refused are only texts that hold a tag of the answer."""
    spec, row = TASKS[task], data.draw(rows(TASKS[task]))
    try:
        spec.check(row)
    except ValueError as error:
        assert "is a tag of the answer" in str(error) or "silence is no" in str(error)
        assert any("<|" in text for text in texts_of(list(row.values())))
        return
    text = tiny_tokenizer.decode(tiny_tokenizer.encode_pieces(spec.target_pieces(row)))
    assert text == spec.target_text(row)
    written = {name: value for name, value in row.items() if name not in spec.prompt_fields}
    assert spec.parse(text) == {name: plain(value) for name, value in written.items()}


@pytest.mark.parametrize("task", TASKS)
@EXAMPLES
@given(text=st.lists(st.one_of(TAG_LIKE, st.text()), max_size=8).map("".join))
def test_any_answer_is_read_or_malformed(task, text):
    found = TASKS[task].parse(text)
    assert found is None or set(found) <= {*TASKS[task].fields, *TASKS[task].optional_fields}


def test_the_released_form_with_shared_boundaries_and_silence_is_read():
    text = "<|0.00|><|sil|><|0.54|>面<|0.86|>条<|1.02|>"
    assert TASKS["srwt"].parse(text) == {"words": [[0.54, 0.86, "面"], [0.86, 1.02, "条"]]}


NOTE = "<|pitch|><|midi_pitch_60|><|velocity|><|midi_velocity_100|><|instrument|>keyboard"
ENTITY = "<|startofentitytype|>a<|endofentitytype|><|startofentityvalue|>b<|endofentityvalue|>"


@pytest.mark.parametrize("task, text", [
    *(("srwt", text) for text in (
        "", "one two", "<|0.00|>one", "one<|0.40|>", "<|0.00|><|0.40|>", "<|0.00|>one<|0.40|> two",
    )),
    *(("sd", text) for text in (
        "", "1", "<|0.00|>1", "<|0.00|><|0.40|>", "<|0.00|>1<|0.40|>2<|0.50|>", "<|0.50|>1<|0.40|>",
        "<|0.00|>1<|0.40|> none",
    )),
    *(("ser", text) for text in (
        "", "a b", ENTITY[:-5], ENTITY + "c", ENTITY.replace("b", " "), ENTITY[24:] + ENTITY,
    )),
    *(("osr", text) for text in ("", "<|delim|>", "a<|delim|>", "a<|delim|> <|delim|>b")),
    *(("ic", text) for text in ("alarm set", "<|scenario|>alarm", "<|action|>set<|scenario|>alarm")),
    *(("mna", text) for text in (
        "keyboard", "<|pitch|><|midi_pitch_60|>", NOTE + "<|sonic|>a,,b",
        "<|pitch|><|midi_pitch_x|><|velocity|><|midi_velocity_1|><|instrument|>a",
    )),
])  # fmt: skip
def test_malformed_answers_are_none(task, text):
    assert TASKS[task].parse(text) is None


@pytest.mark.parametrize("task, text, fields", [
    ("ser", f" {ENTITY} {ENTITY}\n", {"entities": [["a", "b"], ["a", "b"]]}),
    ("ser", "none", {"entities": []}),
    ("sed", " none", {"segments": []}),
    ("sd", "<|0.00|> 1 <|1.20|> <|0.90|>2<|2.35|>", {"segments": [[0.0, 1.2, "1"], [0.9, 2.35, "2"]]}),
    ("mna", NOTE + "<|sonic|>bright,dark", {"pitch": 60, "velocity": 100, "instrument": "keyboard",
                                            "sonic": ["bright", "dark"]}),
])  # fmt: skip
def test_white_space_between_tags_is_overlooked(task, text, fields):
    assert TASKS[task].parse(text) == fields


@pytest.mark.parametrize("task, change, message", [
    ("asr", {"audio_lang": "eng"}, "'audio_lang' is 'eng', which has no language token; write Whisper's code"),
    ("asr", {"text_lang": ["es"]}, r"field 'text_lang' is \['es'\], which has no language token"),
    ("asr", {"text": "  "}, "field 'text' of task asr is '  '; write a text that is not empty"),
    ("sec", {"label": 3}, "field 'label' of task sec is 3; write a text"),
    ("mna", {"pitch": "60"}, "field 'pitch' of task mna is '60'; write a whole number"),
    ("mna", {"pitch": True}, "field 'pitch' of task mna is True; write a whole number"),
    ("mna", {"velocity": 128}, r"velocity of task mna: there is no token <\|midi_velocity_128\|>"),
    ("mna", {"pitch": -1}, r"there is no token <\|midi_pitch_-1\|>"),
    ("mna", {"sonic": []}, r"'sonic' of task mna is \[\]; write a list of texts .*, or leave the field out"),
    ("mna", {"sonic": ["a, b"]}, "'sonic' of task mna holds 'a, b'; write a text .* without comma"),
    ("mna", {"instrument": "a<|sonic|>b"},
     r"'instrument' of task mna holds <\|sonic\|>, which is a tag of the answer"),
    ("ic", {"scenario": "a<|action|>"}, r"'scenario' of task ic holds <\|action\|>, which is a tag of the"),
    ("osr", {"texts": "one"}, "'texts' of task osr is 'one'; write a list of texts that is not empty"),
    ("osr", {"texts": ["one", " "]}, "'texts' of task osr holds ' '; write a text that is not empty"),
    ("osr", {"texts": ["a<|delim|>b"]},
     r"'texts' of task osr holds <\|delim\|> in a text, which is a tag of the answer"),
    ("ser", {"entities": "none"}, r"'entities' of task ser is 'none'; write a list of \[type, value\]"),
    ("ser", {"entities": [["date"]]}, r"holds \['date'\]; write \[type, value\], two texts that are not"),
    ("sf", {"slots": [["a", "<|endofentityvalue|>"]]}, r"holds <\|endofentityvalue\|> in a text"),
    ("sd", {"segments": None}, r"is None; write a list of \[start_s, end_s, label\]"),
    ("sd", {"segments": [[1, 2, "1"], [0.5, 3, "2"]]},
     r"holds \[0.5, 3, '2'\]: times run backwards \(the label before begins at 1 s"),
    ("sd", {"segments": [[1, 2, "a<|0.07|>"]]}, r"holds <\|0.07\|> in a text"),
    ("srwt", {"words": []}, r"'words' of task srwt is \[\]; write a list that is not empty"),
    ("srwt", {"words": [[0.0, "one"]]}, r"'words' of task srwt holds \[0.0, 'one'\]; write \[start_s, end"),
    ("srwt", {"words": [[0.0, 0.2, " "]]}, r"write \[start_s, end_s, word\]"),
    ("srwt", {"words": [[0.0, 0.5, "a"], [0.4, 0.6, "b"]]}, r"backwards \(the word before ends at 0.5 s\)"),
    ("srwt", {"words": [[0.5, 0.4, "a"]]}, "times run backwards"),
    ("srwt", {"words": [[-0.2, 0.4, "a"]]}, "times run backwards"),
    ("srwt", {"words": [[0.0, 31.0, "a"]]}, "time 31.0 s has no token"),
    ("srwt", {"words": [[0.0, 0.4, "<|sil|>"]]}, "silence is no word; leave it out"),
])  # fmt: skip
def test_a_wrong_field_is_refused_with_its_value_and_what_to_write(task, change, message):
    with pytest.raises(ValueError, match=message):
        TASKS[task].check({**TASKS[task].sample(), **change})
