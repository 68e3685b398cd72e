"""The exact answers are checked against the labels of the recordings, which each audio's name gives."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from qwen_audio.sft.joined import MOST_CLIPS, MOST_SECONDS, joined_dialogues
from qwen_audio.sft.joined_forms import About, Asker, joined_forms, known
from qwen_audio.sft.recordings import Recording, read_recordings

LABEL = {"a1": "English", "a2": "English", "a3": "Spanish", "a4": "French", "b1": "animal", "b2": "bird",
         "b3": "music", "b4": "music", "b5": "music"}  # fmt: skip
PITCH = {"b3": 60, "b4": 67, "b5": 72}
SECONDS = {utt: 2.0 * number for number, utt in enumerate(sorted(LABEL), 1)}


@pytest.fixture
def dialogues(prepared, tasks):
    found = joined_dialogues(read_recordings(prepared, tasks), tasks, ["en", "zh"], 25, 0)[0]
    by_form = defaultdict(list)
    for dialogue in found:
        by_form[dialogue.about["facts"]["form"]].append(dialogue)
    assert set(by_form) == set(joined_forms())
    return by_form


def utts(dialogue):
    return [Path(audio).stem for message in dialogue.messages for audio in message.audios]


def values(dialogue):
    return dialogue.about["facts"]["values"]


def asked_label(dialogue):
    """The label that the last question names, in English."""
    question = dialogue.messages[-2].text
    names = {
        "英语": "English",
        "西班牙语": "Spanish",
        "法语": "French",
        "动物": "animal",
        "鸟": "bird",
        "音乐": "music",
    }
    names |= {label: label for label in LABEL.values()}
    (found,) = {
        label for name, label in names.items() if name in question and f"Audio {name}" not in question
    }
    return found


def test_which_is_the_only_one_that_has_the_label(dialogues):
    for dialogue in dialogues["which_label"]:
        having = [n for n, utt in enumerate(utts(dialogue), 1) if LABEL[utt] == asked_label(dialogue)]
        assert having == [values(dialogue)["which"]]


def test_how_many_is_the_number_of_those_that_have_the_label(dialogues):
    for dialogue in dialogues["how_many"]:
        assert values(dialogue)["how_many"] == sum(
            LABEL[utt] == asked_label(dialogue) for utt in utts(dialogue)
        )


def test_labels_that_may_both_hold_are_never_held_against_each_other(dialogues):
    for form in ("which_label", "how_many"):
        for dialogue in dialogues[form]:
            found = {LABEL[utt] for utt in utts(dialogue)}
            assert not (asked_label(dialogue) in ("animal", "bird") and {"animal", "bird"} <= found)


def test_labels_stand_in_the_order_of_the_recordings(dialogues):
    for dialogue in dialogues["labels"]:
        assert values(dialogue)["labels"] == [LABEL[utt] for utt in utts(dialogue)]


def test_the_longest_and_the_order_by_length_follow_from_the_lengths(dialogues):
    for dialogue in dialogues["by_length"]:
        places = sorted(range(len(utts(dialogue))), key=lambda at: SECONDS[utts(dialogue)[at]])
        assert values(dialogue)["order"] == [place + 1 for place in places]
    for dialogue in dialogues["which_long"]:
        longest = max(utts(dialogue), key=SECONDS.get)
        assert utts(dialogue)[values(dialogue)["which"] - 1] == longest


def test_the_highest_and_the_order_by_pitch_follow_from_the_pitches(dialogues):
    for dialogue in dialogues["by_pitch"]:
        pitches = [PITCH[utt] for utt in utts(dialogue)]
        assert [pitches[place - 1] for place in values(dialogue)["order"]] == sorted(pitches)
    for dialogue in dialogues["which_high"]:
        pitches = [PITCH[utt] for utt in utts(dialogue)]
        assert pitches[values(dialogue)["which"] - 1] == max(pitches)


def test_the_same_is_said_of_equal_labels_alone(dialogues):
    assert {values(dialogue)["same"] for dialogue in dialogues["same"]} == {True, False}
    for dialogue in dialogues["same"]:
        question = dialogue.messages[-2].text
        a, b = [int(char) for char in question if char.isdigit()]
        labels = [LABEL[utts(dialogue)[place - 1]] for place in (a, b)]
        assert values(dialogue)["same"] == (labels[0] == labels[1])
        assert set(labels) != {"animal", "bird"}


def test_a_dialogue_has_two_to_four_recordings_of_half_a_minute_together_in_one_or_two_turns(dialogues):
    turns = Counter()
    for dialogue in (d for found in dialogues.values() for d in found):
        assert 2 <= len(utts(dialogue)) <= MOST_CLIPS
        assert (
            len(set(utts(dialogue))) == len(utts(dialogue))
            and utts(dialogue) == dialogue.about["facts"]["utts"]
        )
        assert sum(map(SECONDS.get, utts(dialogue))) <= MOST_SECONDS
        assert dialogue.messages[0].audios
        turns[len(dialogue.messages)] += 1
    assert set(turns) == {2, 4}


def test_the_seed_decides(prepared, tasks):
    recordings = read_recordings(prepared, tasks)
    assert joined_dialogues(recordings, tasks, ["en"], 5, 0) == joined_dialogues(
        recordings, tasks, ["en"], 5, 0
    )
    assert joined_dialogues(recordings, tasks, ["en"], 5, 0) != joined_dialogues(
        recordings, tasks, ["en"], 5, 1
    )


def test_what_cannot_be_made_is_rejected_and_no_dialogue_comes_twice(prepared, tasks):
    found, rejected = joined_dialogues(read_recordings(prepared, tasks), tasks, ["en"], 60, 0)
    assert len(found) + len(rejected) == 60 * len(joined_forms())
    assert {why.split(":")[0] for _, _, why in rejected} == {"no recordings found"}
    asked = [(tuple(utts(d)), d.messages[-2].text) for d in found]
    assert len(set(asked)) == len(asked)


class First:
    """Draws the first of everything."""

    def choice(self, items):
        return items[0]

    def sample(self, items, count):
        return list(items)[:count]

    def randrange(self, stop):
        return 0


def clip(tasks, utt, seconds=1.0, **fields):
    rows = tuple({"utt": utt, "task": task, **row} for task, row in fields.items())
    return known(Recording(utt, f"{utt}.flac", seconds, rows), tasks)


def ask(tasks, form, clips, about=None):
    return Asker(tasks, First(), "en").ask(form, clips, about or About())


def test_recordings_of_nearly_one_length_are_not_ordered(tasks):
    pair = [
        clip(tasks, "a", 10.0, lid={"label": "English"}),
        clip(tasks, "b", 12.0, lid={"label": "English"}),
    ]
    assert ask(tasks, "by_length", pair) is None
    assert ask(tasks, "by_length", [pair[0], clip(tasks, "c", 12.6)]).values == {"order": [1, 2]}
    assert ask(tasks, "by_length", [clip(tasks, "d", 1.0), clip(tasks, "e", 1.4)]) is None


def test_notes_of_one_pitch_are_not_ordered(tasks):
    notes = [
        clip(tasks, n, mna={"pitch": p, "velocity": 75, "instrument": "flute"})
        for n, p in (("a", 60), ("b", 60))
    ]
    assert ask(tasks, "by_pitch", notes) is None and ask(tasks, "which_high", notes) is None


def test_a_word_that_two_recordings_have_is_in_no_one_of_them(tasks):
    said = [{"audio_lang": "en", "text_lang": "en", "text": text} for text in ("Hold the line!", "the line")]
    clips = [clip(tasks, "a", asr=said[0]), clip(tasks, "b", asr=said[1])]
    assert ask(tasks, "which_word", clips).values == {"item": "hold", "which": 1}
    assert ask(tasks, "which_word", clips[::-1]) is None


def test_a_recording_with_two_labels_of_a_task_has_none(tasks):
    rows = tuple({"utt": "a", "task": "sec", "label": label} for label in ("music", "bird"))
    assert known(Recording("a", "a.flac", 1.0, rows), tasks).labels == {}


def test_the_first_question_does_not_tell_the_last_answer(dialogues):
    heard = {"which_label", "how_many", "same", "labels", "which_word"}
    for form in heard:
        for dialogue in dialogues[form]:
            if len(dialogue.messages) == 4:
                first = dialogue.messages[0].text.lower()
                told = ("long", "short", "length", "pitch", "note", "长", "短", "音高", "音从低", "音最高")
                assert any(word in first for word in told), first
