"""Waiting for what the thread computes, for as long as the client waits."""

import asyncio
from collections.abc import Coroutine

from starlette.requests import ClientDisconnect, Request

from qwen_audio.serve.worker import Job


async def all_of(job: Job, request: Request) -> list:
    """All pieces of ``job``. Raises: ClientDisconnect where the client leaves before; the thread stops then."""

    async def pieces() -> list:
        return [piece async for piece in job]

    return await _unless_left(pieces(), job, request)


async def first_of(job: Job, request: Request):
    """The first piece of ``job``, which has one; who iterates over it then gets the others. Raises: as all_of."""

    async def piece():
        return await anext(aiter(job))

    return await _unless_left(piece(), job, request)


async def _unless_left(wanted: Coroutine, job: Job, request: Request):
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    made, left = asyncio.create_task(wanted), asyncio.create_task(gone())
    try:
        await asyncio.wait((made, left), return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            raise ClientDisconnect
        return made.result()
    except BaseException:  # also where the server ends, and this is cancelled
        job.leave()
        raise
    finally:
        made.cancel()
        left.cancel()
