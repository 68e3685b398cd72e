import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from qwen_audio.serve.body import bounded

FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def request_of(chunks, **headers):
    """A request whose body comes in ``chunks``, and the list of those that were taken."""
    taken, waiting = [], iter(chunks)

    async def receive():
        taken.append(next(waiting))
        return {"type": "http.request", "body": taken[-1], "more_body": len(taken) < len(chunks)}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive), taken


async def body(request):
    return await request.body()


async def form(request):
    return await request.form()


@pytest.mark.parametrize("read", [body, form])
@pytest.mark.parametrize("length", [{}, {"content_length": "10", "transfer_encoding": "chunked"}])
def test_a_body_is_read_no_further_than_it_may_be_long_whatever_its_headers_say(read, length):
    chunks = [FORM, *8 * [bytes(400_000)]]
    request, taken = request_of(chunks, content_type="multipart/form-data; boundary=x", **length)
    with pytest.raises(HTTPException, match="413: the body is larger than 1 MB"):
        asyncio.run(read(bounded(request, 1.0)))
    assert len(taken) == 4


def test_of_a_body_that_says_that_it_is_too_long_nothing_is_read():
    request, taken = request_of([b"{}"], content_length="1000001")
    with pytest.raises(HTTPException, match="413: the body is larger than 1 MB"):
        bounded(request, 1.0)
    assert not taken


def test_a_body_as_long_as_may_be_comes_whole():
    request, _ = request_of(2 * [bytes(500_000)])
    assert asyncio.run(bounded(request, 1.0).body()) == bytes(1_000_000)
