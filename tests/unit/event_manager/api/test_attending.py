"""Who leaves ends his question; nobody else's request is touched."""

from __future__ import annotations

import asyncio

import pytest

from madsci.common.errors import AbandonedError, MadsciError
from madsci.event_manager.api.attending import attended


class Connection:
    """The messages of a request, as a server gives them out."""

    def __init__(self, *messages: str) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()
        for message in messages:
            self.say(message)

    def say(self, message: str) -> None:
        self.messages.put_nowait({"type": message})

    async def receive(self) -> dict:
        return await self.messages.get()


def test_the_answer_is_returned_while_the_client_is_there():
    async def drill():
        connection = Connection("http.request")
        assert await attended(connection.receive, asyncio.sleep(0.01, "answer")) == "answer"
        connection.say("http.disconnect")
        assert (await connection.receive())["type"] == "http.disconnect", "nobody listens any more"

    asyncio.run(drill())


def test_an_error_of_the_work_is_raised():
    async def fail():
        raise MadsciError("no")

    async def drill():
        with pytest.raises(MadsciError, match="no"):
            await attended(Connection().receive, fail())

    asyncio.run(drill())


async def endless(ended: list[str]):
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("work")


def test_work_for_a_client_that_leaves_is_cancelled():
    async def drill():
        ended: list[str] = []
        connection = Connection("http.request")
        asyncio.get_running_loop().call_later(0.01, connection.say, "http.disconnect")
        with pytest.raises(AbandonedError):
            await attended(connection.receive, endless(ended))
        assert ended == ["work"]

    asyncio.run(drill())


def test_work_of_a_request_that_is_cancelled_is_cancelled():
    """As the server does with those that are under way when its time for stopping is over."""

    async def drill():
        ended: list[str] = []
        request = asyncio.ensure_future(attended(Connection().receive, endless(ended)))
        await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert ended == ["work"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(drill())


def test_a_failure_to_listen_is_no_departure():
    async def broken():
        raise OSError("the connection is broken")

    async def drill():
        with pytest.raises(OSError, match="broken"):
            await attended(broken, endless([]))

    asyncio.run(drill())
