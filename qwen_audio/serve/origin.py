"""Pages that may send requests: the server's own, and those of sites that are named."""

from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.requests import Request


def refuse_other_sites(request: Request, origins: Collection[str]) -> None:
    """Refuse what a page of another site sends: a browser asks no server before it sends a form to it.

    Args:
        origins: of other sites whose pages may, as ``https://example.org``; ``*`` is all of them.

    Raises:
        HTTPException: 403 if a browser says that the request is of such a page. Other clients say nothing.
    """
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    own = origin.partition(":")[2] == f"//{host}"
    if origin and not own and {origin, "*"}.isdisjoint(origins):
        mend = f"it may where the server is started with --allow-origin {origin}"
        raise HTTPException(403, f"{origin} is another site than this server, {host}; {mend}")
