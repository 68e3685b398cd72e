import asyncio
import threading

import pytest

from qwen_audio.serve.worker import Busy, Worker


def test_pieces_come_in_order_and_clients_one_after_another():
    async def run():
        worker, seen = Worker(4), []

        def count(name):
            for number in range(3):
                seen.append((name, number))
                yield number

        jobs = [worker.start(lambda name=name: count(name)) for name in "ab"]
        found = [[piece async for piece in job] for job in jobs]
        worker.close()
        return found, seen

    found, seen = asyncio.run(run())
    assert found == [[0, 1, 2]] * 2 and seen == [(name, number) for name in "ab" for number in range(3)]


def test_an_error_is_its_clients_and_the_next_is_served():
    async def run():
        worker = Worker(4)

        def broken():
            yield 1
            raise ValueError("too long")

        job, got = worker.start(broken), []
        with pytest.raises(ValueError, match="too long"):
            async for piece in job:
                got.append(piece)
        return got, [piece async for piece in worker.start(lambda: iter_of(7))]

    assert asyncio.run(run()) == ([1], [7])


def iter_of(*pieces):
    yield from pieces


def test_who_leaves_stops_the_work_and_what_waited_in_vain_is_not_begun():
    async def run():
        worker, go, seen = Worker(4), threading.Event(), []

        def endless():
            try:
                while True:
                    go.wait(5)
                    yield len(seen)
            finally:
                seen.append("closed")

        first, second = worker.start(endless), worker.start(lambda: iter(seen.append("begun")))
        second.leave()
        go.set()
        async for _ in first:
            first.leave()
            break
        return [piece async for piece in worker.start(lambda: iter_of(tuple(seen)))]

    assert asyncio.run(run()) == [("closed",)]


def test_who_leaves_in_the_middle_of_a_piece_stops_it_at_its_next_step():
    async def run():
        worker, begun, go, seen = Worker(4), threading.Event(), threading.Event(), []

        def slow():
            for number in range(9):
                worker.step()
                seen.append(number)
                begun.set()
                go.wait(5)
            yield "a transcript"

        job = worker.start(slow)
        await asyncio.to_thread(begun.wait, 5)
        job.leave()
        worker.step()  # of another thread, whose work it is not
        go.set()
        worker.close()
        return seen

    assert asyncio.run(run()) == [0]


def test_who_waits_and_leaves_makes_room_at_once():
    async def run():
        worker, go, begun = Worker(2), threading.Event(), []

        def waits():
            go.wait(5)
            yield 1

        first, second = worker.start(waits), worker.start(lambda: iter(begun.append("second")))
        second.leave()
        third = worker.start(waits)
        go.set()
        return [[piece async for piece in job] for job in (first, third)], begun

    assert asyncio.run(run()) == ([[1], [1]], [])


def test_more_than_may_wait_are_turned_away_until_there_is_room():
    async def run():
        worker, go = Worker(2), threading.Event()

        def waits():
            go.wait(5)
            yield 1

        jobs = [worker.start(waits), worker.start(waits)]
        with pytest.raises(Busy, match="2 requests wait or are served"):
            worker.start(waits)
        go.set()
        assert [[piece async for piece in job] for job in jobs] == [[1], [1]]
        worker.close()
        worker = Worker(1)
        return [piece async for piece in worker.start(lambda: iter_of(3))]

    assert asyncio.run(run()) == [3]
