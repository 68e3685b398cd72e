import random

import pytest
import yaml

from qwen_audio.chat.form import field_names
from qwen_audio.chat.templates import (
    ITEM,
    alike,
    chat_forms,
    form_values,
    main_form,
    single_items,
)
from qwen_audio.chat.values import CHAT_LANGS, SPOKEN
from qwen_audio.task_spec import TASKS_DIR, load_tasks

TASKS = load_tasks()
FORMS = [(task, name) for task in TASKS for name in chat_forms(TASKS[task])]


def example(spec):
    row = {"audio_lang": "es", "text_lang": "en"} | spec.sample()
    if spec.name == "sd":
        row["segments"] = [[0.0, 1.2, "1"], [1.3, 2.35, "2"]]
    return row


def test_every_task_can_be_asked_in_several_ways():
    for spec in TASKS.values():
        for lang in CHAT_LANGS:
            assert len(main_form(spec).ask[lang]) >= 2, spec.name


@pytest.mark.parametrize("task, name", FORMS)
def test_every_answer_gives_its_fields_back(task, name):
    spec, form = TASKS[task], chat_forms(TASKS[task])[name]
    values = form_values(spec, form, example(spec), random.Random(0))
    for lang in CHAT_LANGS:
        for at in range(len(form.ask[lang])):
            reading = form.read(form.turn(at, lang, values)[1])
            assert not reading.lenient
            assert {name: reading.fields[name] for name in form.told} == {
                name: values[name] for name in form.told
            }


@pytest.mark.parametrize("task", TASKS)
def test_the_main_form_answers_the_whole_target(task):
    spec = TASKS[task]
    row = example(spec)
    fields = main_form(spec).read(main_form(spec).turn(0, "en", row)[1]).fields
    assert spec.target_text({k: row[k] for k in spec.prompt_fields} | fields) == spec.target_text(
        {k: v for k, v in row.items() if k not in spec.optional_fields}
    )


def test_a_text_is_asked_for_only_where_it_stands_once():
    timed = [[0.0, 0.2, "No,"], [0.3, 0.5, "please"], [0.5, 0.7, "no."], [0.7, 0.7, "um"], [0.6, 0.9, "more"]]
    assert single_items(timed) == [(0.3, 0.5, "please"), (0.6, 0.9, "more")]
    assert single_items(timed, alone=True) == [(0.3, 0.5, "please")]


def test_labels_that_may_both_hold_are_not_apart():
    kinds = alike(TASKS["sec"])
    assert not kinds.apart("animal", "bird") and not kinds.apart("bird", "animal")
    assert kinds.apart("animal", "music") and not kinds.apart("music", "music")


def test_the_words_of_alike_hold_the_label():
    for spec in filter(alike, TASKS.values()):
        for words in alike(spec).words.values():
            assert field_names(words["one"]) == field_names(words["many"]) == ["label"]


def with_chat(tmp_path, task, change):
    content = yaml.safe_load((TASKS_DIR / f"{task}.yaml").read_text(encoding="utf-8"))
    change(content["chat"])
    (tmp_path / f"{task}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return tmp_path


def test_a_field_that_the_task_does_not_have_is_named(tmp_path):
    folder = with_chat(tmp_path, "lid", lambda chat: chat["label"]["en"]["ask"].append("Is it {lable}?"))
    with pytest.raises(ValueError, match="lid.yaml: chat.label: {lable} is no field.*did you mean 'label'"):
        load_tasks(folder)


def test_a_main_form_that_leaves_a_field_out_is_named(tmp_path):
    folder = with_chat(tmp_path, "mna", lambda chat: chat.pop("note"))
    with pytest.raises(ValueError, match="chat.pitch is the first form and lacks {instrument}"):
        load_tasks(folder)


def test_a_question_answered_differently_in_two_forms_is_named(tmp_path):
    with_chat(tmp_path, "asr", lambda chat: None)
    asked = TASKS["asr"].chat["transcript"]["en"]["ask"][0]
    folder = with_chat(tmp_path, "lid", lambda chat: chat["label"]["en"]["ask"].insert(0, asked.upper()))
    with pytest.raises(ValueError, match="stands in asr.transcript and in lid.label"):
        load_tasks(folder)


def test_alike_without_its_words_is_named(tmp_path):
    folder = with_chat(tmp_path, "lid", lambda chat: chat["alike"]["zh"].pop("many"))
    with pytest.raises(ValueError, match="chat.alike.zh is .*; write what, one, many"):
        load_tasks(folder)


def test_a_task_without_chat_is_a_task(tmp_path):
    content = yaml.safe_load((TASKS_DIR / "lid.yaml").read_text(encoding="utf-8"))
    del content["chat"]
    (tmp_path / "lid.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert chat_forms(load_tasks(tmp_path)["lid"]) == {}


def test_items_have_a_kind_that_can_be_said():
    assert set(ITEM.values()) <= set(SPOKEN)
