"""The body of a request, of which no more is taken than may be."""

from starlette.exceptions import HTTPException
from starlette.requests import Request


def bounded(request: Request, max_mb: float) -> Request:
    """``request``, whose body is counted while it comes: what is sent in chunks has no length, or another than it says.

    Raises:
        HTTPException: 413 if a header says that the body is larger than ``max_mb``; ``body()`` and ``form()`` of what
            is returned raise it where the body is.
    """
    too_large = HTTPException(413, f"the body is larger than {max_mb:g} MB")
    length, came = request.headers.get("content-length", ""), 0
    if length.isdecimal() and int(length) > max_mb * 1e6:
        raise too_large

    async def receive():
        nonlocal came
        message = await request.receive()
        came += len(message.get("body", b""))
        if came > max_mb * 1e6:
            raise too_large
        return message

    return Request(request.scope, receive)
