import base64
import io

import numpy as np
import pytest
import soundfile
import soxr

from qwen_audio.serve.chat_request import Sound, parse_chat, wave_of

DATA = base64.b64encode(b"some bytes").decode()


def body(*content, **more):
    return {"messages": [{"role": "user", "content": list(content)}], **more}


def audio(**held):
    return {"type": "input_audio", "input_audio": held}


def test_both_ways_to_send_audio_give_its_bytes_in_order_with_the_texts():
    url = {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{DATA}"}}
    (said,) = parse_chat(body(audio(data=DATA, format="wav"), {"type": "text", "text": "and"}, url)).said
    assert said.parts[0].data == said.parts[2].data == b"some bytes" and said.parts[1] == "and"
    assert said.parts[2].where == "messages[0].content[2].audio_url"


def test_the_same_message_has_the_same_key_and_no_other_has():
    def key(*content):
        return parse_chat(body(*content)).said[0].key

    text = {"type": "text", "text": "some bytes"}
    assert key(audio(data=DATA)) == key(audio(data=DATA, format="mp3"))
    assert len({key(audio(data=DATA)), key(text), key(text, text), key(audio(data=DATA), text)}) == 4


@pytest.mark.parametrize("changed, message", [
    ({"messages": []}, "messages holds no user message"),
    ({"messages": "hello"}, "messages is \"hello\"; write a list"),
    ({"messages": ["hello"]}, r"messages\[0\] is \"hello\"; write an object"),
    ({"messages": [{"role": "usr", "content": "a"}]}, r"messages\[0\].role is \"usr\".*did you mean 'user'"),
    ({"messages": [{"role": "user", "content": []}]}, r"messages\[0\].content is \[\]"),
    ({"messages": [{"role": "user", "content": ""}]}, r"messages\[0\].content\[0\].text is"),
    ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "the last message is"),
    ({"messages": [{"role": "assistant", "content": "b"}]}, r"messages\[0\].role is 'assistant' where 'user' is due"),
    ({"messages": [{"role": "system", "content": [audio(data=DATA)]}]}, "holds audio; only the user's"),
    (body({"type": "image_url", "image_url": {}}), r"content\[0\].type is 'image_url'"),
    (body(audio(data="a.wav")), r"content\[0\].input_audio.data is no base64"),
    (body(audio(data="")), "is no base64"),
    (body(audio(path="/etc/passwd")), "is no base64"),
    (body({"type": "audio_url", "audio_url": {"url": "file:///etc/passwd"}}), "nothing that a client names is opened"),
    (body({"type": "audio_url", "audio_url": {"url": "https://example.org/a.wav"}}), "send the audio itself"),
    (body({"type": "audio_url", "audio_url": "/etc/passwd"}), "is no data: URL"),
    ({"n": 2}, "n can only be 1 here, or be left out"),
    ({"response_format": {"type": "json_object"}}, 'response_format can only be {"type": "text"} here'),
    ({"modalities": ["text", "audio"]}, r'modalities can only be \["text"\] here'),
    ({"logprobs": True}, "logprobs can only be false here"),
    ({"stream": "yes"}, "stream is 'yes'"),
    ({"max_tokens": 0}, "max_tokens is 0"),
    ({"max_completion_tokens": True}, "max_completion_tokens is True"),
    ({"tools": []}, "tools is not supported$"),
    ({"top_logprobs": 2}, "top_logprobs is not supported$"),
    ({"mesages": []}, "mesages is not supported; did you mean 'messages'"),
])  # fmt: skip
def test_what_is_wrong_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        parse_chat({**body({"type": "text", "text": "a"}), **changed})


def test_the_length_and_what_has_no_effect():
    asked = parse_chat(body({"type": "text", "text": "a"}, max_tokens=7, temperature=0, seed=1, model="x"))
    assert asked.max_new_tokens == 7 and len(asked.notes) == 2 and not asked.stream


def test_what_openais_client_sends_is_taken_where_it_asks_for_what_happens_anyway():
    text = {"type": "text", "text": "a"}
    anyway = {"response_format": {"type": "text"}, "modalities": ["text"], "logprobs": False, "n": 1}
    anyway |= {"service_tier": "auto", "prompt_cache_key": "x", "safety_identifier": "x"}
    assert parse_chat(body(text, **anyway, parallel_tool_calls=False)) == parse_chat(body(text))


def test_the_developers_message_is_the_systems_and_a_name_is_told_of():
    question = {"role": "user", "content": [{"type": "text", "text": "a"}]}
    asked = parse_chat({"messages": [{"role": "developer", "content": "Be brief."}, question]})
    assert asked == parse_chat({"messages": [{"role": "system", "content": "Be brief."}, question]})
    named = parse_chat({"messages": [{**question, "name": "Ann"}]})
    assert named.said == asked.said[1:] and "name of a message has no effect" in named.notes[0]


def test_what_is_null_is_absent():
    text = {"type": "text", "text": "a"}
    absent = ("n", "stop", "tools", "stream", "max_tokens", "temperature", "response_format")
    asked = parse_chat(body({**text, "input_audio": None}, **dict.fromkeys(absent)))
    assert asked == parse_chat(body(text))
    answer = {"role": "assistant", "content": "b", "refusal": None, "audio": None, "tool_calls": None}
    question = {"role": "user", "content": "a"}
    (_, said, _) = parse_chat({"messages": [question, answer, question]}).said
    assert (said.role, said.parts) == ("assistant", ("b",))
    with pytest.raises(ValueError, match="messages is null"):
        parse_chat({"messages": None})


def test_audio_of_any_format_is_decoded_and_no_more_of_it_than_may_be(tmp_path):
    wave = 0.3 * np.sin(np.arange(16000) / 9).astype(np.float32)
    for name in ("a.flac", "a.ogg", "a.mp3"):
        soundfile.write(tmp_path / name, wave, 16000)
        data = base64.b64encode((tmp_path / name).read_bytes()).decode()
        (sound,) = parse_chat(body(audio(data=data))).said[0].parts
        assert len(wave_of(sound, 2.0)) == pytest.approx(16000, abs=2500)
        with pytest.raises(
            ValueError, match=r"messages\[0\].content\[0\].input_audio.data is longer than 0.5 s"
        ):
            wave_of(sound, 0.5)


def test_no_more_than_may_be_heard_is_resampled(monkeypatch):
    given = []
    resample = soxr.ResampleStream.resample_chunk

    class Counted(soxr.ResampleStream):
        def resample_chunk(self, wave, last=False):
            given.append(len(wave))
            return resample(self, wave, last)

    monkeypatch.setattr("qwen_audio.audio.soxr.ResampleStream", Counted)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(20000), 1, format="WAV", subtype="PCM_16")  # 40 KB that tell of 5.6 hours
    with pytest.raises(ValueError, match="file is longer than 300 s"):
        wave_of(Sound(file.getvalue(), "file"), 300)
    assert sum(given) <= 6 * 240  # soxr keeps some of it back
