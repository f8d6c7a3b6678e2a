"""Replies with events are sent as they are taken, and all together hold a bounded number of bytes."""

from __future__ import annotations

import asyncio
import json

import pytest

from madsci.event_manager.api.page_reply import PIECE, PageReply, ReplyRoom

MOST = 1_000_000
LARGE = bytes(600_000)


class Reader:
    """Takes messages, the pieces of a body only when it is let."""

    def __init__(self, *, stops: bool = False) -> None:
        self.messages: list[dict] = []
        self.goes_on = asyncio.Event()
        self.has_stopped = asyncio.Event()
        if not stops:
            self.goes_on.set()

    async def __call__(self, message) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.body":
            self.has_stopped.set()
            await self.goes_on.wait()

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def body(self) -> bytes:
        return b"".join(one["body"] for one in self.messages[1:])


async def receive():
    raise AssertionError("nothing is read")


async def send(reply: PageReply, reader: Reader) -> None:
    await reply({"type": "http"}, receive, reader)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_a_reply_is_whole_and_in_pieces(size):
    async def scenario():
        room, reader = ReplyRoom(MOST), Reader()
        body = bytes(range(256)) * (size // 256 + 1)
        await send(PageReply(room, body[:size], "next"), reader)
        assert reader.body == body[:size]
        assert max(len(one["body"]) for one in reader.messages[1:]) <= PIECE
        assert [one["more_body"] for one in reader.messages[1:]][-1] is False
        headers = dict(reader.messages[0]["headers"])
        assert headers[b"x-next-cursor"] == b"next"
        assert headers[b"content-length"] == str(size).encode()
        assert room.held == 0

    asyncio.run(scenario())


def test_what_stopped_readers_hold_is_bounded_and_small_replies_pass():
    async def scenario():
        room, stopped, refused, small = ReplyRoom(MOST), Reader(stops=True), Reader(), Reader()
        holding = asyncio.create_task(send(PageReply(room, LARGE), stopped))
        await stopped.has_stopped.wait()
        await send(PageReply(room, LARGE), refused)
        assert refused.status == 503
        assert b"retry-after" in dict(refused.messages[0]["headers"])
        assert "Ask again" in json.loads(refused.body)["detail"]
        await send(PageReply(room, b"[]"), small)
        assert (small.status, small.body) == (200, b"[]")
        stopped.goes_on.set()
        await holding
        assert stopped.body == LARGE
        assert room.held == 0

    asyncio.run(scenario())


def test_a_reply_that_is_larger_than_the_bound_is_sent_when_it_is_alone():
    async def scenario():
        reader = Reader()
        await send(PageReply(ReplyRoom(MOST), bytes(3 * MOST)), reader)
        assert len(reader.body) == 3 * MOST

    asyncio.run(scenario())


def test_the_room_of_a_reader_that_was_cut_off_is_given_back():
    async def scenario():
        room, stopped = ReplyRoom(MOST), Reader(stops=True)
        holding = asyncio.create_task(send(PageReply(room, LARGE), stopped))
        await stopped.has_stopped.wait()
        assert room.held == len(LARGE)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        assert room.held == 0

    asyncio.run(scenario())
