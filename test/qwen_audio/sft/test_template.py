from collections import Counter

import pytest

from qwen_audio.chat.templates import chat_forms
from qwen_audio.sft.recordings import Recording, read_recordings
from qwen_audio.sft.template import template_dialogues


def made(recordings, tasks, langs=("en", "zh"), count=None, seed=0):
    return template_dialogues(recordings, tasks, langs, count, seed)


def test_every_example_is_asked_for_in_every_form_of_its_task(prepared, tasks):
    dialogues, rejected = made(read_recordings(prepared, tasks), tasks)
    assert not rejected
    assert Counter((d.about["task"], d.about["facts"]["form"]) for d in dialogues) == {
        ("asr", "transcript"): 4,
        ("lid", "label"): 4,
        ("srwt", "words"): 2,
        ("srwt", "when"): 2,
        ("srwt", "word_at"): 2,
        ("sec", "label"): 5,
        ("mna", "note"): 3,
        ("mna", "pitch"): 3,
        ("mna", "velocity"): 3,
    }
    assert len({d.id for d in dialogues}) == len(dialogues)


def test_a_dialogue_is_one_recording_a_question_and_the_answer_that_gives_its_facts_back(prepared, tasks):
    for dialogue in made(read_recordings(prepared, tasks), tasks)[0]:
        asked, answered = dialogue.messages
        facts, spec = dialogue.about["facts"], tasks[dialogue.about["task"]]
        assert asked.audios == [f"audio/{facts['rows'][0]['utt']}.flac"] and asked.text
        found = chat_forms(spec)[facts["form"]].read(answered.text).fields
        assert {name: found[name] for name in facts["values"]} == facts["values"]


def test_a_word_is_asked_for_with_its_own_times(prepared, tasks):
    for dialogue in made(read_recordings(prepared, tasks), tasks, ["en"])[0]:
        if dialogue.about["facts"]["form"] == "when":
            (word,) = [
                w
                for w in dialogue.about["facts"]["rows"][0]["words"]
                if f'"{w[2]}"' in dialogue.messages[0].text
            ]
            assert (
                f"{word[0]:.2f}" in dialogue.messages[1].text
                and f"{word[1]:.2f}" in dialogue.messages[1].text
            )


def test_the_seed_decides(prepared, tasks):
    recordings = read_recordings(prepared, tasks)
    assert made(recordings, tasks) == made(recordings, tasks)
    assert made(recordings, tasks) != made(recordings, tasks, seed=1)


def test_count_limits_each_form_in_each_language(prepared, tasks):
    found = made(read_recordings(prepared, tasks), tasks, count=1)[0]
    counts = Counter((d.about["task"], d.about["facts"]["form"]) for d in found)
    assert counts.pop(("asr", "transcript")) == 3  # of en, es and fr
    assert set(counts.values()) == {1}
    assert {d.about["facts"]["rows"][0].get("audio_lang") for d in found if d.about["task"] == "asr"} == {
        "en", "es", "fr",
    }  # fmt: skip


def test_languages_that_are_not_asked_for_are_not_used(prepared, tasks):
    found = made(read_recordings(prepared, tasks), tasks, ["zh"])[0]
    assert {d.about["facts"]["lang"] for d in found} == {"zh"}


def one(*rows):
    return [Recording("u", "u.flac", 2.0, tuple({"utt": "u", **row} for row in rows))]


def test_every_reference_of_a_request_stands_in_its_facts(tasks):
    rows = [{"task": "aac", "text": text} for text in ("a dog barks", "barking")]
    first, second = made(one(*rows), tasks, ["en"])[0]
    assert (first.id, second.id) == ("u-aac-caption", "u-aac-caption-2")
    assert sorted(row["text"] for row in first.about["facts"]["rows"]) == ["a dog barks", "barking"]


def test_questions_about_one_recording_are_no_references_of_each_other(tasks):
    rows = [{"task": "aqa", "question": q, "answer": "yes"} for q in ("Is there a dog?", "Is there rain?")]
    assert [len(d.about["facts"]["rows"]) for d in made(one(*rows), tasks, ["en"])[0]] == [1, 1]


@pytest.mark.parametrize(
    "row, reason",
    [
        (
            {"task": "osr", "texts": ["left / right", "what"]},
            "unreadable answer: its fields cannot be told apart",
        ),
        (
            {"task": "srwt", "audio_lang": "en", "text_lang": "en", "words": [[0, 1, "no"], [1, 2, "no"]]},
            "no single text: each stands twice or at the same time as another",
        ),
    ],
)
def test_what_cannot_be_asked_is_rejected_with_its_reason(tasks, row, reason):
    assert reason in {why for _, _, why in made(one(row), tasks, ["en"])[1]}


def test_an_optional_field_is_asked_for_only_where_it_is_known(tasks):
    plain = {"task": "mna", "pitch": 60, "velocity": 75, "instrument": "flute"}
    forms = [d.about["facts"]["form"] for d in made(one(plain), tasks)[0]]
    full = [d.about["facts"]["form"] for d in made(one(plain | {"sonic": ["bright"]}), tasks)[0]]
    assert set(full) - set(forms) == {"qualities"}
