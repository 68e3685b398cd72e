import json

import pytest
from layouts_b import as_video, avqa, make_musicavqa, seconds_of
from make_corpora import tone, write


@pytest.fixture
def corpus(tmp_path):
    return make_musicavqa(tmp_path / "MUSIC-AVQA")


def prepare(local_data, corpus, tmp_path):
    return local_data(tmp_path / "recipe", "musicavqa", "--corpus", corpus)


def test_only_audio_questions_are_taken_with_their_places_filled(corpus, tmp_path, local_data):
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    for number, name in enumerate(("train", "valid", "test")):
        rows = [json.loads(line) for line in (data / f"musicavqa_{name}/examples.jsonl").open()]
        assert [(row["utt"], row["question"], row["answer"]) for row in rows] == [
            (video, question, answer)
            for video in (f"{number:08d}", f"sa{number:08d}")
            for question, answer in (
                ("How many musical instruments were heard throughout the video?", "two"),
                ("Is the erhu louder than the bass?", "no"),
            )
        ]
        assert {row["task"] for row in rows} == {"mqa"}


def test_thirty_seconds_of_a_longer_clip_are_heard_and_all_of_a_shorter(corpus, tmp_path, local_data):
    short = corpus / "MUSIC-AVQA-videos-Real/00000002.wav"
    write(short, tone("short", 4.5))
    _, _, data = prepare(local_data, corpus, tmp_path)
    assert (data / "musicavqa_test/segments").read_text().splitlines() == [
        "00000002 00000002 0.000 4.500",
        "sa00000002 sa00000002 0.000 30.000",
    ]


def test_the_sound_of_a_video_is_extracted_once(corpus, tmp_path, local_data):
    video = as_video(corpus / "MUSIC-AVQA-videos-Real/00000002.wav")
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    sound = tmp_path / "recipe/downloads/musicavqa/00000002.flac"
    assert (data / "musicavqa_test/wav.scp").read_text().startswith(f"00000002 {sound}\n")
    assert seconds_of(sound) == 30.0
    video.write_bytes(b"not a video any more")
    assert prepare(local_data, corpus, tmp_path)[0] == 0


def test_a_video_without_sound_and_one_that_is_missing_are_listed(corpus, tmp_path, local_data):
    (corpus / "MUSIC-AVQA-videos-Real/00000000.wav").rename(corpus / "00000000.mp4")
    (corpus / "00000000.mp4").write_bytes(b"no video")
    (corpus / "MUSIC-AVQA-videos-Real/00000001.wav").unlink()
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    first, second = (data / "musicavqa_rejected.tsv").read_text().splitlines()
    assert first.startswith(f"video\t00000000\tno sound: {corpus}/00000000.mp4: ")
    assert second == "video\t00000001\tquestions without a recording"


def test_training_questions_about_a_tested_video_are_dropped(corpus, tmp_path, local_data):
    train = corpus / "json/avqa-train.json"
    extra = avqa("00000002", 99, ("Audio", "Counting"), "How many?", [], "one")
    train.write_text(json.dumps([*json.loads(train.read_text()), extra]))
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    reason = "its video is one of valid or test: 00000002"
    assert (data / "musicavqa_rejected.tsv").read_text() == f"question\tavqa-train:99\t{reason}\n"


def test_an_incomplete_split_is_told_with_expected_and_found(corpus, tmp_path, local_data):
    _, printed, _ = prepare(local_data, corpus, tmp_path)
    assert "avqa-test.json: incomplete: expected 9185 questions as published, found 8" in printed


def test_a_clone_of_the_repository_has_its_tables_under_data(corpus, tmp_path, local_data):
    (corpus / "data").mkdir()
    (corpus / "json").rename(corpus / "data/json")
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert len((data / "musicavqa_test/examples.jsonl").read_text().splitlines()) == 4


def test_videos_of_the_test_split_alone_are_enough(corpus, tmp_path, local_data):
    for path in [*corpus.rglob("*00000000.wav"), *corpus.rglob("*00000001.wav")]:
        path.unlink()
    status, printed, data = prepare(local_data, corpus, tmp_path)
    assert status == 0, printed
    assert "test data alone, there is no video of json/avqa-train.json" in printed
    assert json.loads((data / "sets.json").read_text()) == {
        "train": [], "valid": [], "test": ["musicavqa_test"],
    }  # fmt: skip
    assert not (data / "musicavqa_rejected.tsv").read_text()


def test_without_any_video_it_is_said_what_is_lacking(corpus, tmp_path, local_data):
    for path in corpus.rglob("*.wav"):
        path.unlink()
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "no utterance is left for it" in printed and "test data alone" not in printed


def test_missing_questions_are_named_with_what_is_there(corpus, tmp_path, local_data):
    (corpus / "json/avqa-val.json").unlink()
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "needs json/avqa-val.json; found" in printed


@pytest.mark.parametrize(
    "change, said",
    [
        ({"templ_values": '["erhu"]'}, "has 2 places, templ_values 1"),
        ({"templ_values": ["erhu"]}, "templ_values is ['erhu']; expected a list written as text"),
    ],
)
def test_places_that_cannot_be_filled_name_the_question(corpus, tmp_path, local_data, change, said):
    train = corpus / "json/avqa-train.json"
    questions = json.loads(train.read_text())
    train.write_text(json.dumps([questions[0], {**questions[1], **change}]))
    status, printed, _ = prepare(local_data, corpus, tmp_path)
    assert status == 1 and "avqa-train.json: question 1" in printed and said in printed
