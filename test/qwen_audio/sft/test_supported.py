import pytest

from qwen_audio.sft.supported import check_pair, essential, parse_pair

LID = {"utt": "u", "task": "lid", "label": "Spanish"}
ASR = {"utt": "u", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "Hold the line."}


def check(tasks, row, question, answer, others=()):
    check_pair(tasks[row["task"]], row, "en", question, answer, set(others))


def test_json_is_read_with_or_without_marks_around_it():
    pair = '{"question": "What language? ", "answer": "Spanish."}'
    assert parse_pair(pair) == parse_pair(f"```json\n{pair}\n```") == ("What language?", "Spanish.")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("Sure! Here it is.", "not JSON"),
        ("[1]", "not JSON"),
        ('{"answer": "Spanish."}', "no question"),
        ('{"question": "What?", "answer": ""}', "no answer"),
        ('{"question": "What?", "answer": 3}', "no answer"),
    ],
)
def test_what_is_no_pair_is_rejected_with_its_reason(text, reason):
    with pytest.raises(ValueError, match=f"^{reason}: "):
        parse_pair(text)


def test_an_answer_that_holds_the_label_is_taken(tasks):
    check(tasks, LID, "What do they speak?", "They speak Spanish.", ["French"])
    check(tasks, ASR, "What is said?", 'A voice says: "hold the line"!')


@pytest.mark.parametrize(
    "question, answer, reason",
    [
        ("What do they speak?", "They speak Italian.", "not supported"),
        ("What do they speak?", "It may be Spanishlike.", "not supported"),
        ("Do they speak Spanish?", "Yes, Spanish.", "leaks"),
        ("What do they speak?", "Spanish or French.", "another label"),
        ("What is the label?", "Spanish.", "talks of labels"),
        ("What do they speak?", "<|es|>Spanish", "special token"),
        ("What do they speak?" * 40, "Spanish.", "too long"),
        ("What do they speak?", "Spanish. " * 80, "too long"),
    ],
)
def test_a_pair_that_may_not_be_trained_on_is_rejected_with_its_reason(tasks, question, answer, reason):
    with pytest.raises(ValueError, match=f"^{reason}: "):
        check(tasks, LID, question, answer, ["French", "German"])


def test_a_label_within_the_right_one_is_no_other_label(tasks):
    row = {"utt": "u", "task": "mic", "label": "bass guitar"}
    check(tasks, row, "What is played?", "A bass guitar.", ["guitar", "bass"])


def test_the_answer_to_a_given_question_may_stand_in_it(tasks):
    row = {"utt": "u", "task": "aqa", "question": "Is it a dog or a cat?", "answer": "dog"}
    check(tasks, row, "Do I hear a dog or a cat?", "You hear a dog.")


def test_a_chinese_answer_holds_the_chinese_name_of_the_label(tasks):
    assert essential(tasks["lid"], LID, "zh") == ["西班牙语"]
    check_pair(tasks["lid"], LID, "zh", "这是什么语言？", "这是西班牙语。", {"法语"})


@pytest.mark.parametrize(
    "task, fields, texts",
    [
        ("srwt", {"words": [[0.0, 0.2, "hold"], [0.2, 0.4, "on"]]}, ["hold on"]),
        ("sed", {"segments": [[0.0, 1.0, "dog"], [0.5, 2.0, "rain"]]}, ["dog", "rain"]),
        ("ser", {"entities": [["date", "the third of may"]]}, ["the third of may"]),
        ("osr", {"texts": ["one", "two"]}, ["one", "two"]),
        ("mna", {"pitch": 60, "velocity": 75, "instrument": "synth_lead"}, ["60", "75", "synth lead"]),
    ],
)
def test_an_answer_must_hold_every_text_of_the_labels(tasks, task, fields, texts):
    assert essential(tasks[task], {"task": task, **fields}, "en") == texts
