import json

from qwen_audio.sft.completion import Cached
from qwen_audio.sft.endpoint import Endpoint
from qwen_audio.sft.llm import llm_dialogues
from qwen_audio.sft.recordings import Recording, read_recordings


def languages(recordings):
    return [Recording(r.utt, r.audio, r.seconds, tuple(r.of("lid"))) for r in recordings if r.of("lid")]


def pair(question, answer):
    return json.dumps({"question": question, "answer": answer})


def run(server, folder, recordings, tasks, count=4):
    ask = Cached(Endpoint(server.url, per_minute=1e9, sleep=lambda seconds: None), folder)
    return (*llm_dialogues(recordings, tasks, ["en"], count, 0, ask, "m"), ask)


def test_supported_answers_become_dialogues_and_others_are_counted_with_their_reason(
    server, prepared, tasks, tmp_path
):
    recordings = languages(read_recordings(prepared, tasks))
    server.say(
        pair("What do they speak?", "They speak English."),
        pair("What do they speak?", "They speak Dutch."),
        "No.",
        pair("Is it French?", "It is French."),
    )
    dialogues, rejected, _ = run(server, tmp_path, recordings, tasks)
    (made,) = dialogues
    assert made.messages[0].audios == ["audio/a1.flac"] and made.messages[1].text == "They speak English."
    assert made.about["source"] == "llm" and made.about["facts"]["rows"][0]["label"] == "English"
    assert [(name[:2], why.split(":")[0]) for _, name, why in rejected] == [
        ("a2", "not supported"),
        ("a3", "not JSON"),
        ("a4", "leaks"),
    ]


def test_the_llm_is_told_the_labels_and_the_wanted_words(server, prepared, tasks, tmp_path):
    server.say(pair("What do they speak?", "They speak English."))
    run(server, tmp_path, languages(read_recordings(prepared, tasks)), tasks, count=4)
    body = server.asked[0][2]
    assert body["model"] == "m" and body["max_tokens"] > 0
    assert 'word for word: "English"' in body["messages"][0]["content"]
    assert body["messages"][-1]["content"].endswith('Known: {"label": "English"}')
    assert "a1" not in json.dumps(body)


def test_a_second_run_asks_nothing_and_gives_the_same(server, prepared, tasks, tmp_path):
    recordings = languages(read_recordings(prepared, tasks))
    server.say(pair("What do they speak?", "They speak English."))
    first = run(server, tmp_path, recordings, tasks)
    second = run(server, tmp_path, recordings, tasks)
    assert second[:2] == first[:2]
    assert (second[2].asked, second[2].found, len(server.asked)) == (0, 4, 4)


def test_a_run_that_broke_off_goes_on_where_it_was(server, prepared, tasks, tmp_path):
    recordings = languages(read_recordings(prepared, tasks))
    good = (200, server.completion(pair("What do they speak?", "They speak English.")), {})
    server.replies = [good, good, (400, b"stop", {})]
    try:
        run(server, tmp_path, recordings, tasks)
    except ValueError as error:
        assert "400" in str(error)
    server.replies = [good]
    *_, ask = run(server, tmp_path, recordings, tasks)
    assert (ask.found, ask.asked) == (2, 2)


def test_the_same_question_about_a_recording_is_taken_once(server, tasks, tmp_path):
    rows = tuple({"utt": "u", "task": "aac", "text": "a dog"} for _ in range(2))
    server.say(pair("What is heard?", "It is a dog."))
    dialogues, rejected, _ = run(server, tmp_path, [Recording("u", "u.flac", 1.0, rows)], tasks)
    assert len(dialogues) == 1
    assert [why for _, _, why in rejected] == ["asked before: the same question about the same recording"]
