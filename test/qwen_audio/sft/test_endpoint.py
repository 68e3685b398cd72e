import pytest

from qwen_audio.sft.completion import Refused
from qwen_audio.sft.endpoint import Endpoint

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)


def endpoint(server, time=None, **options):
    time = time or Time()
    return Endpoint(server.url, sleep=time.sleep, clock=time.clock, **options)


def test_the_request_is_posted_with_the_key_and_the_text_comes_back(server):
    server.say("Hello.")
    assert endpoint(server, key="secret")(REQUEST) == "Hello."
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions" and body == REQUEST
    assert headers["Authorization"] == "Bearer secret"


def test_without_a_key_none_is_sent(server):
    server.say("Hello.")
    endpoint(server)(REQUEST)
    assert "Authorization" not in server.asked[0][1]


def test_requests_keep_their_distance(server):
    server.say("Hello.")
    time = Time()
    ask = endpoint(server, time, per_minute=30)
    for _ in range(3):
        ask(REQUEST)
    assert time.slept == [2.0, 2.0]


def test_a_fault_that_passes_is_waited_out(server):
    server.replies = [
        (503, b"busy", {}),
        (429, b"slow", {"Retry-After": "7"}),
        (200, server.completion("Hello."), {}),
    ]
    time = Time()
    assert endpoint(server, time, per_minute=1e9)(REQUEST) == "Hello."
    waits = [seconds for seconds in time.slept if seconds > 0.1]
    assert 1 <= waits[0] <= 2 and waits[1] == 7


def test_a_fault_that_stays_ends_the_run_and_says_how_to_go_on(server):
    server.replies = [(500, b"broken", {})]
    with pytest.raises(ValueError, match="failed 3 times, at last with 500.*broken; run the command again"):
        endpoint(server, retries=2)(REQUEST)
    assert len(server.asked) == 3


def test_a_host_that_is_not_there_is_tried_again(server):
    time = Time()
    ask = Endpoint("http://127.0.0.1:1/v1", retries=2, per_minute=1e9, sleep=time.sleep, clock=time.clock)
    with pytest.raises(ValueError, match="failed 3 times, at last with .*refused"):
        ask(REQUEST)
    assert len([seconds for seconds in time.slept if seconds > 0.1]) == 2


def test_a_wrong_key_is_named_at_once(server):
    server.replies = [(401, b"who are you", {})]
    with pytest.raises(ValueError, match="401.*who are you; set the environment variable OPENAI_API_KEY"):
        endpoint(server, key="secret")(REQUEST)
    assert len(server.asked) == 1


def test_the_key_follows_no_redirect(server):
    server.replies = [(307, b"", {"Location": f"{server.url}/elsewhere"})]
    with pytest.raises(ValueError, match="307.*redirects, which is not followed"):
        endpoint(server, key="secret")(REQUEST)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"<html>", "no completion"),
        ({"choices": []}, "no completion"),
        ({"error": "x"}, "no completion"),
        ("", "no completion: the text is empty"),
    ],
)
def test_a_reply_without_a_whole_text_is_refused(server, body, reason):
    server.replies = [(200, server.completion(body) if isinstance(body, str) else body, {})]
    with pytest.raises(Refused, match=reason):
        endpoint(server)(REQUEST)


def test_a_text_that_was_cut_off_is_refused(server):
    server.replies = [(200, server.completion("Half a", "length"), {})]
    with pytest.raises(Refused, match="cut off: by max_tokens"):
        endpoint(server)(REQUEST)


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "https://"])
def test_what_is_no_url_is_named(url):
    with pytest.raises(ValueError, match="is no URL; write http"):
        Endpoint(url)


def test_a_rate_of_nothing_is_named():
    with pytest.raises(ValueError, match="--per_minute 0; write a number above 0"):
        Endpoint("http://localhost/v1", per_minute=0)
