import pytest
from starlette.testclient import TestClient

from qwen_audio.serve.app import make_app


def test_other_sites_may_call_only_where_they_are_named(loaded, client):
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options("/v1/chat/completions", headers=asked).headers
    with TestClient(make_app(loaded, "tiny", origins=("https://example.org",))) as other:
        answer = other.options("/v1/chat/completions", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        got = other.get("/v1/models", headers=asked)  # a script of that site reads no other header of ours
        assert got.headers["access-control-expose-headers"] == "X-Warnings"


@pytest.mark.parametrize("path", ["audio/transcriptions", "chat/completions"])
def test_what_a_page_of_another_site_sends_is_refused_unless_it_is_named(loaded, client, path):
    def status(client, origin):
        return client.post(f"/v1/{path}", headers={"Origin": origin}).status_code

    for other in ("https://example.org", "null", "http://testserver:8000", "http://testserver.example.org"):
        assert status(client, other) == 403
    for own in ("http://testserver", "https://testserver"):  # a proxy may have taken TLS off
        assert status(client, own) == 415
    for origins in (("https://example.org",), ("*",)):
        with TestClient(make_app(loaded, "tiny", origins=origins)) as named:
            assert status(named, "https://example.org") == 415
            assert (status(named, "https://example.net") == 403) == ("*" not in origins)
