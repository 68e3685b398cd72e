"""Answers as people might write them; the scores beside them are by hand."""

from dataclasses import replace

import pytest

from qwen_audio.chat.form import ChatForm
from qwen_audio.chat.templates import main_form
from qwen_audio.data.dialogue import Audio, Dialogue, Message, Text
from qwen_audio.score import chat_facts
from qwen_audio.score.chat import score_chat, written
from qwen_audio.score.chat_facts import Taught
from qwen_audio.score.train_labels import TrainLabels
from qwen_audio.task_spec import load_tasks

TASKS = load_tasks()
WHERE = {"model": "sft_x", "stage": "sft", "set": "set"}


def asked(name, task, form, values, rows=(), source="template", turns=1, **facts):
    messages = (Message("user", (Audio("a.wav"), Text("?"))), Message("assistant", (Text("."),))) * turns
    facts |= {"form": form, "lang": "en", "values": values, "rows": list(rows)}
    about = {"source": source, "task": task, "label_origin": "real", "facts": facts}
    return Dialogue(name, messages, about)


def of_task(name, task, *rows):
    rows = [{"utt": name, "task": task, **row} for row in rows]
    return asked(name, task, main_form(TASKS[task]).name, {}, rows)


def joined(name, form, values, turns=1, **facts):
    return asked(name, "joined", form, values, source="joined", turns=turns, **facts)


def known(rows=()):
    labels = TrainLabels(TASKS)
    for row in rows:
        labels.add(row)
    return labels


def score(tmp_path, pairs, labels=(), train=()):
    """(dialogue, answer) -> {(task, metric, protocol): row}."""
    (tmp_path / "utt2num_samples").write_text("".join(f"{d.id} 32000\n" for d, _ in pairs))
    answers = {dialogue.id: {"hyp": answer} for dialogue, answer in pairs}
    rows = score_chat([d for d, _ in pairs], answers, WHERE, known(labels), tmp_path, Taught(train))
    return {(row["task"], row["metric"], row["protocol"]): row for row in rows}


def test_a_free_transcript_is_scored_as_the_task_is(tmp_path):
    said = {"audio_lang": "en", "text_lang": "en", "text": "hold the line"}
    pairs = [
        (of_task("u1", "asr", said), 'The person says in English, "hold the line".'),
        (of_task("u2", "asr", said), "hold a line"),
    ]
    row = score(tmp_path, pairs)["asr", "wer", "whisper"]
    assert row["score"] == pytest.approx(1 / 6)
    assert (row["count"], row["parts"]["lenient"], row["malformed"]) == (2, 1, 0)
    assert row["model"] == "sft_x" and row["baseline"] == 1.0


def test_a_free_label_is_scored_as_the_task_is(tmp_path):
    answers = [
        "The language is Spanish.",
        "It is in Spanish.",
        "Spanish.",
        "I am not able to tell you that now.",
    ]
    pairs = [(of_task(f"u{n}", "lid", {"label": "Spanish"}), answer) for n, answer in enumerate(answers)]
    labels = [{"utt": "t", "task": "lid", "label": "Spanish"}]
    row = score(tmp_path, pairs, labels)["lid", "accuracy", "strict"]
    assert row["score"] == 0.5  # "It is in Spanish" is no phrasing of the task: the label is not cut out
    assert (row["malformed"], row["parts"]["lenient"], row["baseline"]) == (1, 2, 1.0)


def test_word_times_in_a_sentence_are_scored_in_milliseconds(tmp_path):
    words = {"audio_lang": "en", "text_lang": "en", "words": [[0.0, 0.5, "hold"], [0.5, 1.0, "on"]]}
    answer = "The words with their times in seconds: hold (0.10-0.50), on (0.50-0.90)."
    row = score(tmp_path, [(of_task("u", "srwt", words), answer)])["srwt", "aas", "no_sil"]
    assert row["score"] == pytest.approx(100)  # 200 ms of shift over two words


def test_times_that_run_backwards_are_malformed(tmp_path):
    words = {"audio_lang": "en", "text_lang": "en", "words": [[0.0, 0.5, "hold"]]}
    answer = "The words with their times in seconds: hold (0.90-0.50)."
    found = score(tmp_path, [(of_task("u", "srwt", words), answer)])
    assert (
        found["srwt", "aas", "no_sil"]["malformed"] == 1 and found["srwt", "aas", "no_sil"]["score"] is None
    )


def test_a_number_that_has_no_token_is_left_as_it_is():
    row = {"pitch": 60, "velocity": 75, "instrument": "flute"}
    answer = "Pitch 600, velocity 75, instrument flute."
    assert written(TASKS["mna"], row, answer) == (answer, "unread")
    assert written(TASKS["mna"], row, answer.replace("600", "61"))[0] == (
        "<|pitch|><|midi_pitch_61|><|velocity|><|midi_velocity_75|><|instrument|>flute"
    )


def test_a_request_asked_twice_for_its_references_counts_once(tmp_path):
    rows = [{"question": "Is it?", "answer": answer} for answer in ("yes", "no")]
    first, second = of_task("u", "aqa", *rows), of_task("u", "aqa", *rows)
    second = Dialogue("u-2", second.messages, second.about)
    row = score(tmp_path, [(first, "The answer is: yes."), (second, "no")])["aqa", "accuracy", "strict"]
    assert (row["count"], row["score"]) == (1, 0.5)  # of two references, one


@pytest.mark.parametrize(
    "form, values, answer, metric, right",
    [
        ("which_label", {"which": 2}, "It is Audio 2.", "which", 1),
        ("which_label", {"which": 2}, "Number 2, I think", "which", 1),
        ("which_label", {"which": 2}, "Audio 1.", "which", 0),
        ("which_label", {"which": 2}, "Audio 1 or Audio 2", "which", 0),
        ("how_many", {"how_many": 0}, "The number is 0.", "how_many", 1),
        ("how_many", {"how_many": 0}, "I count 1.", "how_many", 0),
        ("same", {"same": True}, "Yes.", "same", 1),
        ("same", {"same": True}, "No.", "same", 0),
        ("labels", {"labels": ["English", "French"]}, "In order: English, French.", "order", 1),
        ("labels", {"labels": ["English", "French"]}, "In order: French, English.", "order", 0),
        ("by_pitch", {"order": [2, 1, 3]}, "By pitch: 2, 1, 3.", "order", 1),
        ("by_pitch", {"order": [2, 1, 3]}, "By pitch: 2, 1.", "order", 0),
        ("label", {"label": "French"}, "The language of Audio 1 is: French.", "label", 1),
        ("when", {"start_s": 0.5, "end_s": 0.9}, "From 0.70 to 0.70 seconds.", "when", 1),
        ("when", {"start_s": 0.5, "end_s": 0.9}, "From 0.71 to 0.90 seconds.", "when", 0),
    ],
)
def test_an_answer_about_several_recordings_is_right_or_wrong(tmp_path, form, values, answer, metric, right):
    protocol = "within_0.2s" if metric == "when" else "exact"
    row = score(tmp_path, [(joined("d", form, values), answer)])["joined", metric, protocol]
    assert (row["score"], row["count"]) == (right, 1)


def test_words_are_the_same_after_the_normaliser(tmp_path):
    pairs = [
        (
            joined("d1", "said", {"text": "I'm on line 2."}, text_lang="en"),
            'In Audio 1 is said: "i am on line two".',
        ),
        (joined("d2", "said", {"text": "pulse siete"}, text_lang="es"), "The words of Audio 2: pulse"),
    ]
    assert score(tmp_path, pairs)["joined", "said", "exact"]["score"] == 0.5


def test_a_part_of_a_task_is_scored_under_its_form(tmp_path):
    row = {"utt": "u", "task": "mna", "pitch": 60, "velocity": 75, "instrument": "flute"}
    pairs = [(asked("u", "mna", "pitch", {"pitch": 60}, [row]), "The MIDI pitch is 60.")]
    assert score(tmp_path, pairs)["mna", "pitch", "exact"]["score"] == 1


def test_the_baseline_is_the_most_frequent_answer_of_training(tmp_path):
    train = [joined(f"t{n}", "which_label", {"which": which}) for n, which in enumerate((3, 2, 2))]
    pairs = [(joined(f"d{which}", "which_label", {"which": which}), "Audio 9.") for which in (1, 2)]
    row = score(tmp_path, pairs, train=train)["joined", "which", "exact"]
    assert (row["score"], row["baseline"], row["baseline_name"]) == (0, 0.5, "majority")
    assert score(tmp_path, pairs)["joined", "which", "exact"]["baseline"] is None


def test_the_baseline_of_times_is_their_median(tmp_path):
    train = [
        joined(f"t{n}", "when", {"start_s": at, "end_s": at + 1}) for n, at in enumerate((0.0, 1.0, 5.0))
    ]
    row = score(tmp_path, [(joined("d", "when", {"start_s": 1.1, "end_s": 2.1}), "?")], train=train)
    found = row["joined", "when", "within_0.2s"]
    assert (found["baseline"], found["baseline_name"], found["malformed"]) == (1.0, "median", 1)


def test_later_questions_are_also_counted_by_themselves(tmp_path):
    pairs = [
        (joined("d1", "same", {"same": True}), "Yes."),
        (joined("d2", "same", {"same": True}, turns=2), "No."),
    ]
    row = score(tmp_path, pairs)["joined", "same", "exact"]
    assert row["score"] == 0.5 and row["parts"]["later_turns"] == {"score": 0, "count": 1}


def test_dialogues_about_the_same_recordings_are_drawn_together(tmp_path):
    pairs = [(joined(f"d{n}", "how_many", {"how_many": n}), "I count 1.") for n in (1, 2)]
    assert score(tmp_path, pairs)["joined", "how_many", "exact"]["ci95"] is None
    other = (Message("user", (Audio("b.wav"), Text("?"))), *pairs[1][0].messages[1:])
    pairs[1] = (replace(pairs[1][0], messages=other), "I count 1.")
    assert score(tmp_path, pairs)["joined", "how_many", "exact"]["ci95"] == [0, 1]


def test_loops_are_counted_where_they_are_known(tmp_path):
    (tmp_path / "utt2num_samples").write_text("")
    dialogues = [joined("d1", "same", {"same": True}), joined("d2", "same", {"same": True})]
    answers = {"d1": {"hyp": "Yes.", "looped": False}, "d2": {"hyp": "Yes yes yes", "looped": True}}
    (row,) = score_chat(dialogues, answers, WHERE, known(), tmp_path, Taught())
    assert row["looped"] == 1


def test_a_dialogue_without_an_answer_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"1 utterance \(d\) without an answer; decode them"):
        score_chat([joined("d", "same", {"same": True})], {}, WHERE, known(), tmp_path, Taught())


def test_dialogues_without_an_exact_answer_are_not_scored(tmp_path):
    text = Dialogue("t", (Message("user", (Text("Hi"),)),), {"source": "text", "task": "text"})
    with pytest.raises(ValueError, match="nothing to score: no dialogue has the source template or joined"):
        score_chat([text], {"t": {"hyp": "Hello"}}, WHERE, known(), tmp_path, Taught())


def test_a_form_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match="d: facts.form 'whic' is unknown now; run make_sft anew"):
        score(tmp_path, [(joined("d", "whic", {"which": 1}), "Audio 1.")])


def test_qualities_are_right_in_any_order(tmp_path):
    note = asked("n", "mna", "qualities", {"sonic": ["bright", "percussive"]})
    for answer, score_ in (("Its qualities are: percussive, bright.", 1), ("Its qualities are: bright.", 0)):
        assert score(tmp_path, [(note, answer)])["mna", "qualities", "exact"]["score"] == score_


def test_an_answer_of_two_fields_is_right_if_both_are(tmp_path, monkeypatch):
    line = ("Pitch {pitch}, velocity {velocity}.",)
    form = ChatForm("both", {"en": ("What note?",)}, {"en": line}, lambda name: "number")
    monkeypatch.setattr(chat_facts, "chat_forms", lambda spec: {"both": form})
    note, taught = asked("n", "mna", "both", {"pitch": 60, "velocity": 75}), {"pitch": 60, "velocity": 50}
    train = [asked("t", "mna", "both", taught)]
    for answer, score_ in (("Pitch 60, velocity 75.", 1), ("Pitch 60, velocity 50.", 0)):
        row = score(tmp_path, [(note, answer)], train=train)["mna", "both", "exact"]
        assert (row["score"], row["baseline"]) == (score_, 0)
