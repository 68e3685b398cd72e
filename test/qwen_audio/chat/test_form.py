import pytest

from qwen_audio.chat.form import parse_form

WHEN = {
    "en": {"ask": ['When is "{item}"?', 'Where is "{item}"?'], "answer": ["From {start_s} to {end_s} s."]},
    "zh": {"ask": ["“{item}”在哪里？"], "answer": ["从{start_s}到{end_s}秒。"]},
}
LABEL = {
    "en": {"ask": ["Which?", "What?"], "answer": ["It is {label}.", "I hear {label}."]},
    "zh": {"ask": ["什么？"], "answer": ["是{label}。"]},
}
KINDS = {"start_s": "seconds", "end_s": "seconds", "label": "label", "n": "number", "same": "yes"}


def form(content):
    return parse_form("f", content, lambda name: KINDS.get(name, "text"))


def test_the_ith_question_takes_the_ith_answer_counted_round():
    values = {"item": "now", "start_s": 0.5, "end_s": 1.25}
    assert form(WHEN).turn(1, "en", values) == ('Where is "now"?', "From 0.50 to 1.25 s.")
    assert form(LABEL).turn(3, "en", {"label": "dog"}) == ("What?", "I hear dog.")
    assert form(LABEL).turn(5, "zh", {"label": "dog"}) == ("什么？", "是dog。")


@pytest.mark.parametrize(
    "text, fields, lenient",
    [
        ("It is dog.", {"label": "dog"}, False),
        ("是鸟。", {"label": "bird"}, False),
        ("it is  dog", {"label": "dog"}, True),
        ("dog", {"label": "dog"}, True),
        ('They call this "dog", I think.', {"label": "dog"}, True),
    ],
)
def test_a_label_is_read_from_a_free_answer(text, fields, lenient):
    reading = form(LABEL).read(text)
    assert (reading.fields, reading.lenient) == (fields, lenient)


def test_a_long_sentence_is_no_label():
    assert form(LABEL).read("I really cannot say what makes this sound") is None


@pytest.mark.parametrize(
    "text, times",
    [("From 0.50 to 1.25 s.", (0.5, 1.25)), ("at 0.5 until 1.25, roughly", (0.5, 1.25)), ("at 0.5", None)],
)
def test_two_times_are_read_from_a_free_answer(text, times):
    reading = form(WHEN).read(text)
    assert (reading and (reading.fields["start_s"], reading.fields["end_s"])) == times


def test_yes_is_the_first_word_of_a_free_answer():
    both = {lang: {"ask": ["Same?"], "answer": ["{same}."]} for lang in ("en", "zh")}
    assert form(both).read("Yes, they are.").fields == {"same": True}
    assert form(both).read("否，不同。").fields == {"same": False}
    assert form(both).read("They are not.") is None


def test_one_number_is_read_and_of_two_none():
    both = {lang: {"ask": ["How many?"], "answer": ["The number is {n}."]} for lang in ("en", "zh")}
    assert form(both).read("I count 3 of them").fields == {"n": 3}
    assert form(both).read("3 or 4") is None


@pytest.mark.parametrize(
    "content, message",
    [
        ({"en": LABEL["en"]}, "'zh'; write both"),
        (LABEL | {"fr": LABEL["en"]}, "'fr'"),
        (LABEL | {"en": {"aks": ["Which?"], "answer": ["It is {label}."]}}, "'aks'; did you mean 'ask'"),
        (LABEL | {"en": {"ask": ["Which?", "Which?"], "answer": ["It is {label}."]}}, "asks the same twice"),
        (LABEL | {"en": {"ask": ["Which?"], "answer": ["It is {label}.", "Yes."]}}, "lacks {label}"),
        (LABEL | {"en": {"ask": ["Which?"], "answer": ["It is {label}{n}."]}}, "no text between"),
        (
            {lang: {"ask": ["A {n}?"], "answer": ["It is {n}."]} for lang in ("en", "zh")},
            "no field of their own",
        ),
        (LABEL | {"en": {"ask": "Which?", "answer": ["It is {label}."]}}, "write a list of texts"),
        ("Which?", "write `en:"),
    ],
)
def test_a_form_that_does_not_fit_together_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        form(content)
