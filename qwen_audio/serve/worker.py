"""One thread that computes for many clients, one after another; what it gives comes piece by piece."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor


class Busy(RuntimeError):
    """As many clients wait or are served as may."""


class Left(Exception):
    """Nobody waits for the work any more."""


class Job:
    """What the thread gives one client: ``async for piece in job``; an error that it meets is raised there.

    Attributes:
        future: of the thread, which has not begun with it, is at it or has done it.
        left: whether the client has left.
    """

    _END = object()

    def __init__(self):
        self._loop, self._queue = asyncio.get_running_loop(), asyncio.Queue()
        self._gone = threading.Event()
        self.future: Future | None = None

    @property
    def left(self) -> bool:
        return self._gone.is_set()

    def leave(self) -> None:
        """The client wants no more: what waits gives up its place, what is computed stops at the next piece or step."""
        self._gone.set()
        self.future.cancel()

    async def __aiter__(self):
        while (piece := await self._queue.get()) is not self._END:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def work(self, pieces: Callable[[], Generator]) -> None:
        """In the thread: make the pieces and hand them over."""
        try:
            with contextlib.closing(pieces()) as made:
                for piece in made:
                    if self.left:
                        break
                    self._put(piece)
        except Exception as error:  # it is the client's
            self._put(error)
        self._put(self._END)

    def _put(self, piece) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)


class Worker:
    """The thread.

    Args:
        max_waiting: clients that may wait or be served.
    """

    def __init__(self, max_waiting: int):
        self.max_waiting, self._pending = max_waiting, 0
        self._thread = ThreadPoolExecutor(1, "model")
        self._lock = threading.Lock()
        self._here = threading.local()  # with its job, in the thread alone: others may use the model too

    def start(self, pieces: Callable[[], Generator]) -> Job:
        """Queue what ``pieces`` gives. Raises: Busy if too many wait or are served."""
        with self._lock:
            if self._pending == self.max_waiting:
                raise Busy(f"{self._pending} requests wait or are served, which is the most; try again later")
            self._pending += 1
        job = Job()
        job.future = self._thread.submit(self._work, job, pieces)
        job.future.add_done_callback(self._done)
        return job

    def step(self) -> None:
        """For the work itself, between two steps of a piece that takes long. Raises: Left if its client has left."""
        job = getattr(self._here, "job", None)
        if job and job.left:
            raise Left

    def close(self) -> None:
        """Wait for what is being computed; what waits is given up."""
        self._thread.shutdown(cancel_futures=True)

    def _work(self, job: Job, pieces: Callable[[], Generator]) -> None:
        self._here.job = job
        job.work(pieces)

    def _done(self, _) -> None:
        with self._lock:
            self._pending -= 1
