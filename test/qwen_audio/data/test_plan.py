import sqlite3
from contextlib import closing

import pytest

from qwen_audio.data.kaldi_dir import Utterance
from qwen_audio.data.plan import Plan


def utterance(name, recording=None, start=None, end=None, **more):
    recording = recording or name
    return Utterance(name, recording, f"{recording}.wav", start, end, "speaker", **more)


@pytest.fixture
def plan(tmp_path):
    """Function (utterances) -> an open Plan."""
    opened = []

    def make(*utterances):
        opened.append(Plan(tmp_path / f"{len(opened)}.sqlite", utterances))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_a_recording_comes_once_with_its_cuts_in_order_of_time(plan):
    found = plan(
        utterance("u3", "rec2", 0.5, 2.0),
        utterance("u1", "rec1", 3.0, 4.0),
        utterance("u2", "rec1", 1.0, 2.5),
    )  # fmt: skip
    assert [(r.audio, r.cuts) for r in found.recordings()] == [
        ("rec1.wav", (("u2", 1.0, 2.5), ("u1", 3.0, 4.0))),
        ("rec2.wav", (("u3", 0.5, 2.0),)),
    ]
    assert found.count() == 2


def test_cuts_of_one_start_go_by_id_and_a_whole_recording_has_no_times(plan):
    found = plan(utterance("b", "rec", 0.0, 2.0), utterance("a", "rec", 0.0, 1.0), utterance("whole"))
    assert [r.cuts for r in found.recordings()] == [
        (("a", 0.0, 1.0), ("b", 0.0, 2.0)), (("whole", None, None),),
    ]  # fmt: skip


def test_what_cannot_be_used_is_not_decoded_but_keeps_its_reason(plan):
    found = plan(
        utterance("a", "rec1", reason="empty text"), utterance("b", "rec2"), utterance("c", "rec2", 1, 2)
    )
    assert found.count() == 1
    assert [r.audio for r in found.recordings()] == ["rec2.wav"]
    reasons = {utt.id: utt.reason for utt, *_ in found.results()}
    assert reasons == {"a": "empty text", "b": "", "c": ""}


def test_results_are_in_byte_order_whatever_order_they_were_finished_in(plan):
    names = ["é", "b", "a2", "a10", "B", "a"]
    found = plan(*map(utterance, names))
    for number, name in enumerate(names):
        found.finish(name, f"{name}.flac", number, "")
    assert [(utt.id, place, samples) for utt, place, samples, _ in found.results()] == [
        ("B", "B.flac", 4), ("a", "a.flac", 5), ("a10", "a10.flac", 3), ("a2", "a2.flac", 2),
        ("b", "b.flac", 1), ("é", "é.flac", 0),
    ]  # fmt: skip


def test_an_utterance_comes_back_with_speaker_examples_and_refused(plan):
    examples = [{"utt": "a", "task": "asr", "text": "größer <|en|>"}]
    found = plan(utterance("a", examples=examples, refused=[("lid", "no label")]))
    found.finish("a", "a.flac", 16000, "")
    ((utt, *_),) = found.results()
    assert (utt.speaker, utt.examples) == ("speaker", examples)
    assert [tuple(pair) for pair in utt.refused] == [("lid", "no label")]


def test_a_rejection_while_formatting_is_the_reason_of_its_utterance(plan):
    found = plan(utterance("a"), utterance("b"))
    found.finish("a", "", 0, "shorter than 0.1 s")
    found.finish("b", "b.flac", 16000, "")
    assert [(utt.id, utt.reason) for utt, *_ in found.results()] == [("a", "shorter than 0.1 s"), ("b", "")]


def test_what_was_cut_off_comes_back_with_its_utterance(plan):
    found = plan(utterance("a"), utterance("b"))
    found.finish("a", "a.flac", 16000, "", "cut to 1 s: 2.000 s")
    found.finish("b", "b.flac", 16000, "")
    assert [cut for *_, cut in found.results()] == ["cut to 1 s: 2.000 s", ""]


def test_utterances_are_finished_while_recordings_are_read(plan):
    found = plan(*(utterance(f"u{number:03}") for number in range(300)))
    for number, recording in enumerate(found.recordings()):
        found.finish(recording.cuts[0][0], "x.flac", number, "")
    assert [samples for _, _, samples, _ in found.results()] == list(range(300))


def test_an_id_that_comes_twice_ends_it_and_frees_the_file(tmp_path):
    with pytest.raises(sqlite3.IntegrityError):
        Plan(tmp_path / "plan.sqlite", [utterance("a"), utterance("a")])
    with closing(sqlite3.connect(tmp_path / "plan.sqlite", timeout=0)) as db:
        db.execute("DROP TABLE utt")
