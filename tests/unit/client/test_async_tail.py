"""The asynchronous tail: it holds up no loop, and leaves no thread behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from itertools import count

import pytest

from madsci.common.errors import ServerRefusedError, ServerUnreachableError
from support.live_peer import event_line, live_peer, place, standing_line
from support.server import free_port, wait_until


@pytest.fixture
def peer():
    with live_peer() as peer:
        yield peer


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


def no_thread_is_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name == "madsci-tail"]


async def numbers(tail, wanted):
    found = []
    async for event in tail:
        found.append(event.event_data["number"])
        if len(found) == wanted:
            return found
    return found


def test_events_come_while_the_loop_goes_on(client, peer):
    async def run():
        turns = count()

        async def turn():
            while True:
                next(turns)
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        async with client.async_tail() as tail:
            peer.happen(2)
            assert await numbers(tail, 2) == [1, 2]
            assert (tail.position, tail.is_live, tail.missed) == (place(2), True, 0)
        turning.cancel()
        return next(turns)

    assert asyncio.run(run()) > 10
    wait_until(no_thread_is_left, "the end of the thread")


def test_who_leaves_the_loop_leaves_no_thread(client, peer):
    peer.happen(3)
    assert asyncio.run(numbers(client.async_tail(since=place(0)), 1)) == [1]
    wait_until(no_thread_is_left, "the end of the thread")


def test_a_cancelled_task_ends_its_thread_at_once(client, peer):
    async def run():
        tail = client.async_tail()
        task = asyncio.create_task(numbers(tail, 1))
        await asyncio.to_thread(wait_until, lambda: peer.asked, "the connection")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_until, no_thread_is_left, "the end of the thread")
        return tail

    asyncio.run(run())


def test_a_wait_that_was_given_up_loses_nothing(client, peer):
    async def run():
        async with client.async_tail() as tail:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(tail), 0.05)
            peer.happen(2)
            return await numbers(tail, 2)

    assert asyncio.run(run()) == [1, 2]
    assert peer.places() == [None, place(0)]


def test_closing_in_another_task_ends_the_iteration(client, peer):
    async def run():
        tail = client.async_tail()
        task = asyncio.create_task(numbers(tail, 1))
        await asyncio.to_thread(wait_until, lambda: peer.asked, "the connection")
        await tail.aclose()
        return await task

    assert asyncio.run(run()) == []
    wait_until(no_thread_is_left, "the end of the thread")


def test_many_tails_leave_the_threads_of_the_loop_to_others(client, peer):
    async def run():
        tails = [client.async_tail() for _ in range(40)]
        tasks = [asyncio.create_task(numbers(tail, 1)) for tail in tails]
        await asyncio.to_thread(wait_until, lambda: len(peer.asked) == 40, "all connections")
        peer.happen()
        found = await asyncio.gather(*tasks)
        for tail in tails:
            await tail.aclose()
        return found

    assert asyncio.run(run()) == 40 * [[1]]


def test_a_task_beside_one_that_waits_already_is_told_so(client, peer):
    async def run():
        async with client.async_tail() as tail:
            waiting = asyncio.create_task(numbers(tail, 1))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="Another task"):
                await anext(tail)
            peer.happen()
            return await waiting

    assert asyncio.run(run()) == [1]


def test_errors_of_the_first_connection_are_raised_where_it_is_made(make_client, client, peer):
    async def run():
        nobody = make_client(event_server=f"http://127.0.0.1:{free_port()}", retry_enabled=False)
        with pytest.raises(ServerUnreachableError):
            async with nobody.async_tail():
                pass
        peer.script = [lambda reply: reply.refuse(404)]
        with pytest.raises(ServerRefusedError, match="too old"):
            await anext(client.async_tail())

    asyncio.run(run())
    wait_until(no_thread_is_left, "the end of the thread")


def test_history_ends_where_that_begins_which_is_to_come(client, peer):
    peer.script = [
        lambda reply: (
            reply.begin()
            .write(standing_line(0, is_live=False), event_line(1), standing_line(1), event_line(2))
            .wait()
        )
    ]

    async def run():
        async with client.async_tail(since=place(0)) as tail:
            before = [event.event_data["number"] async for event in tail.history()]
            return before, await numbers(tail, 1)

    assert asyncio.run(run()) == ([1], [2])
