import pytest

from qwen_audio.sft.completion import Cached, Refused

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}


def test_the_same_request_is_asked_once_also_by_the_next_run(tmp_path):
    asked = []
    first = Cached(lambda request: asked.append(request) or "Hello.", tmp_path)
    assert first(REQUEST) == first(dict(reversed(REQUEST.items()))) == "Hello."
    again = Cached(lambda request: pytest.fail("asked again"), tmp_path)
    assert again(REQUEST) == "Hello."
    assert (len(asked), first.asked, first.found, again.found) == (1, 1, 1, 1)


@pytest.mark.parametrize("change", [{"seed": 2}, {"model": "n"}, {"messages": []}])
def test_another_request_is_asked_anew(tmp_path, change):
    cached = Cached(lambda request: str(request), tmp_path)
    assert cached(REQUEST) != cached(REQUEST | change)


def test_what_is_refused_is_not_kept(tmp_path):
    def refuse(request):
        raise Refused("cut off: by max_tokens")

    with pytest.raises(Refused):
        Cached(refuse, tmp_path)(REQUEST)
    assert Cached(lambda request: "Hello.", tmp_path)(REQUEST) == "Hello."


def test_a_kept_answer_that_is_broken_is_named(tmp_path):
    Cached(lambda request: "Hello.", tmp_path)(REQUEST)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 3'))
    with pytest.raises(ValueError, match=f"{path.name} is broken.*delete it"):
        Cached(lambda request: "Hello.", tmp_path)(REQUEST)
