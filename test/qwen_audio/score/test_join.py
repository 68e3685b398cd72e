import json

import pytest

from qwen_audio.score.join import read_groups
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()


def groups(tmp_path, examples, hyps, missing="error"):
    for name, rows in (("examples.jsonl", examples), ("hyp.jsonl", hyps)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_groups(tmp_path / "examples.jsonl", tmp_path / "hyp.jsonl", TASKS, missing)


def asr(utt, lang="en", text="one"):
    return {"utt": utt, "task": "asr", "audio_lang": lang, "text_lang": lang, "text": text}


def hyp(utt, task="asr", audio="en", text="en", said="x"):
    return {"utt": utt, "task": task, "audio_lang": audio, "text_lang": text, "hyp": said, "looped": False}


def s2tt(utt, lang, text):
    return {"utt": utt, "task": "s2tt", "audio_lang": "es", "text_lang": lang, "text": text}


def test_languages_are_scored_apart(tmp_path):
    found = groups(tmp_path, [asr("a"), asr("b", "es")], [hyp("a"), hyp("b", audio="es", text="es")])
    assert [(g.name, g.lang, list(g.rows)) for g in found] == [("en", "en", ["a"]), ("es", "es", ["b"])]


def test_a_translation_is_named_by_its_pair(tmp_path):
    found = groups(tmp_path, [s2tt("a", "en", "one"), s2tt("a", "fr", "un")],
                   [hyp("a", "s2tt", "es", "fr", "deux"), hyp("a", "s2tt", "es", "en", "two")])  # fmt: skip
    assert [(g.name, g.lang, g.hyps["a"]["hyp"]) for g in found] == [
        ("es-en", "en", "two"),
        ("es-fr", "fr", "deux"),
    ]


def test_several_rows_of_one_utterance_are_its_references(tmp_path):
    rows = [{"utt": "a", "task": "aac", "text": text} for text in ("rain", "it rains")]
    (found,) = groups(tmp_path, rows, [hyp("a", "aac", "unknown")])
    assert [row["text"] for row in found.rows["a"]] == ["rain", "it rains"]


def test_a_task_without_language_in_its_prompt_ignores_the_language_of_rows(tmp_path):
    rows = [{"utt": "a", "task": "lid", "label": "Spanish", "audio_lang": "es"},
            {"utt": "b", "task": "lid", "label": "English"}]  # fmt: skip
    (found,) = groups(tmp_path, rows, [hyp("a", "lid"), {"utt": "b", "task": "lid", "hyp": "x"}])
    assert sorted(found.hyps) == ["a", "b"]


def test_a_group_decoded_in_part_names_what_lacks(tmp_path):
    with pytest.raises(
        ValueError, match=r"asr en lacks 1 utterance \(b\); decode them, or add --missing empty"
    ):
        groups(tmp_path, [asr("a"), asr("b")], [hyp("a")])


def test_missing_empty_scores_them_as_empty_and_marks_them(tmp_path):
    (found,) = groups(tmp_path, [asr("a"), asr("b")], [hyp("a")], "empty")
    assert found.hyps["b"] == {"hyp": "", "missing": True}


def test_a_group_of_which_nothing_was_decoded_has_no_hypotheses(tmp_path):
    found = groups(tmp_path, [asr("a"), asr("b", "es")], [hyp("a")])
    assert [bool(g.hyps) for g in found] == [True, False]


def test_a_hypothesis_without_reference_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"hyp.jsonl: b \(asr\) has no reference in"):
        groups(tmp_path, [asr("a")], [hyp("a"), hyp("b")])


def test_a_hypothesis_that_stands_twice_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a \(asr\) stands twice"):
        groups(tmp_path, [asr("a")], [hyp("a"), hyp("a")])


def test_an_unknown_task_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="task 'as' is unknown; did you mean 'asr'"):
        groups(tmp_path, [asr("a")], [hyp("a", task="as")])


def aqa(utt, question, **more):
    return {"utt": utt, "task": "aqa", "question": question, **more}


def test_questions_about_one_clip_are_told_apart(tmp_path):
    asked = (("A dog?", "yes"), ("A cat?", "no"), ("A dog?", "Yes"))
    rows = [aqa("a", question, answer=answer) for question, answer in asked]
    said = [aqa("a", "A cat?", hyp="no"), aqa("a", "A dog?", hyp="yes")]
    (found,) = groups(tmp_path, rows, said)
    assert {request: [row["answer"] for row in rows] for request, rows in found.rows.items()} == {
        "a A dog?": ["yes", "Yes"],
        "a A cat?": ["no"],
    }
    assert [found.hyps[request]["hyp"] for request in ("a A dog?", "a A cat?")] == ["yes", "no"]


def test_a_question_that_was_not_decoded_is_named(tmp_path):
    rows = [aqa("a", "A dog?", answer="yes"), aqa("a", "A cat?", answer="no")]
    with pytest.raises(ValueError, match=r"aqa en lacks 1 utterance \(a A cat\?\)"):
        groups(tmp_path, rows, [aqa("a", "A dog?", hyp="yes")])


def test_an_answer_without_its_question_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"hyp.jsonl: a \(aqa\) lacks question; decode it again"):
        groups(tmp_path, [aqa("a", "A dog?", answer="yes")], [{"utt": "a", "task": "aqa", "hyp": "yes"}])
