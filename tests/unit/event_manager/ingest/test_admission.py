"""The bytes in work: bounded together, and given back however a request ends."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import threading
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from madsci.common.errors import (
    InvalidEventError,
    MalformedJsonError,
    OverloadedError,
    StoreError,
    TooLargeError,
    UnsupportedBodyError,
)
from madsci.event_manager.api.ingest import IngestRoutes
from madsci.event_manager.ingest.admission import Admission
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.stores.memory import MemoryStore

LARGE = 300_000
"""Bytes of a body that is read in a thread."""


# -- The account -----------------------------------------------------------------------------------


def test_a_body_may_have_as_many_bytes_as_the_bound_and_not_one_more():
    ticket = Admission(max_body_bytes=10, max_bytes_in_work=1000, small=0).ticket()
    ticket.take(4)
    ticket.take(6)
    with pytest.raises(TooLargeError, match="more than 10 bytes"):
        ticket.take(1)


def test_all_bodies_together_may_have_as_many_bytes_as_the_bound_and_not_one_more():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=100, small=0)
    one, other = admission.ticket(), admission.ticket()
    one.take(60)
    other.take(40)
    assert admission.bytes_in_work == 100
    for ticket in (one, other, admission.ticket()):
        with pytest.raises(OverloadedError, match="100 bytes of requests"):
            ticket.take(1)
    assert admission.bytes_in_work == 100


def test_what_is_refused_is_not_counted():
    admission = Admission(max_body_bytes=10, max_bytes_in_work=10, small=0)
    ticket = admission.ticket()
    with pytest.raises(TooLargeError):
        ticket.take(11)
    assert admission.bytes_in_work == 0
    ticket.take(10)


def test_a_body_that_is_alone_may_exceed_the_bound_of_all_together():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=10, small=0)
    alone = admission.ticket()
    alone.take(60)
    alone.take(40)
    with pytest.raises(OverloadedError):
        admission.ticket().take(1)


def test_bytes_that_are_given_back_are_free_for_others():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=100, small=0)
    one, other = admission.ticket(), admission.ticket()
    one.take(60)
    other.take(40)
    one.give_back()
    one.give_back()
    assert admission.bytes_in_work == 40
    other.take(60)
    other.give_back()
    assert admission.bytes_in_work == 0


def test_what_was_announced_is_not_counted():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=100, small=0)
    admission.ticket().take(50)
    admission.ticket().announce(100)
    with pytest.raises(TooLargeError):
        admission.ticket().announce(101)
    assert admission.bytes_in_work == 50


def test_a_route_may_take_less_than_others_and_not_more():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=100)
    with pytest.raises(TooLargeError, match="more than 10 bytes"):
        admission.ticket(10).take(11)
    with pytest.raises(TooLargeError, match="more than 100 bytes"):
        admission.ticket(1000).take(101)


def test_small_bodies_are_let_in_however_much_is_in_work():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=100, small=10)
    admission.ticket().take(100)
    for _ in range(50):
        admission.ticket().take(10)
    with pytest.raises(OverloadedError):
        admission.ticket().take(11)
    assert admission.bytes_in_work == 600


def test_what_is_made_of_a_body_counts_but_is_not_its_size():
    admission = Admission(max_body_bytes=100, max_bytes_in_work=1000, small=0)
    admission.ticket().take(1)
    ticket = admission.ticket()
    ticket.take(100)
    ticket.hold(800)
    with pytest.raises(OverloadedError):
        ticket.hold(100)
    ticket.release(100)
    assert admission.bytes_in_work == 801
    ticket.give_back()
    assert admission.bytes_in_work == 1


class Uploads:
    """Bodies that arrive in tasks of their own, by a clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.admission = Admission(
            max_body_bytes=100_000, max_bytes_in_work=250_000, small=100, clock=lambda: self.now
        )
        self.ends: list[asyncio.Task[None]] = []

    async def begin(self, size: int) -> Any:
        """Let so much of a body arrive, and its task wait for more."""
        ticket = self.admission.ticket()
        ticket.take(size)

        async def wait() -> None:
            try:
                with ticket.arriving():
                    await asyncio.Event().wait()
            finally:
                ticket.give_back()

        self.ends.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)
        return ticket

    async def stop(self) -> list[BaseException | None]:
        await asyncio.sleep(0)
        for task in self.ends:
            task.cancel()
        ends = await asyncio.gather(*self.ends, return_exceptions=True)
        assert self.admission.bytes_in_work == 0
        return ends


def test_bodies_that_stand_still_make_way_the_largest_first():
    async def scenario() -> None:
        uploads = Uploads()
        for size in (90, 80_000, 90_000, 60_000):
            await uploads.begin(size)
        honest = uploads.admission.ticket()
        honest.take(1000)
        uploads.now = 1.0
        with pytest.raises(OverloadedError):
            honest.take(50_000)  # nobody stands still for long enough
        uploads.now = 3.0
        honest.take(50_000)
        assert uploads.admission.dropped == 1
        honest.give_back()
        ends = await uploads.stop()
        assert [type(end) for end in ends] == [
            asyncio.CancelledError, asyncio.CancelledError, OverloadedError, asyncio.CancelledError
        ]  # fmt: skip

    asyncio.run(scenario())


@pytest.mark.parametrize(("piece", "makes_way"), [(1_000, True), (50_000, False)])
def test_a_body_that_arrives_by_drops_makes_way_however_fast_it_began(piece, makes_way):
    async def scenario() -> None:
        uploads = Uploads()
        uploads.admission.max_body_bytes = 10_000_000
        ticket = await uploads.begin(200_000)
        for _ in range(10):
            uploads.now += 1.0
            ticket.hold(piece)
            ticket.moved()
        honest = uploads.admission.ticket()
        if makes_way:
            honest.take(100_000)
        else:
            with pytest.raises(OverloadedError):
                honest.take(100_000)
        honest.give_back()
        await uploads.stop()

    asyncio.run(scenario())


def test_a_body_that_makes_way_leaves_a_cancellation_of_others_as_it_is():
    async def scenario() -> None:
        uploads = Uploads()
        await uploads.begin(90_000)
        uploads.now = 3.0
        (ticket,) = uploads.admission.arriving
        ticket.drop()
        (task,) = uploads.ends
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        if sys.version_info >= (3, 11):
            assert isinstance(end, asyncio.CancelledError)

    asyncio.run(scenario())


# -- Requests --------------------------------------------------------------------------------------


class Gated(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.release = threading.Event()

    def append(self, events):
        self.entered.set()
        assert self.release.wait(30)
        return super().append(events)


class Refusing(MemoryStore):
    def append(self, events):
        raise StoreError("No.")


class Requests:
    """The two routes without a server around them."""

    def __init__(self, store: MemoryStore, **bounds: int) -> None:
        bounds = {"max_body_bytes": 1_000_000, "max_bytes_in_work": 2_000_000, "small": 0, **bounds}
        self.admission = Admission(**bounds)
        self.writer = Writer(store, max_events=100)
        self.writer.start()
        intake = Intake({}, max_event_bytes=500_000)
        self.routes = IngestRoutes(intake, intake, self.writer, self.admission)

    async def post(self, path: str, *parts: bytes, cut: bool = False, **headers: str) -> Any:
        """Send a body in parts; ``cut`` ends the connection behind them."""
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if cut:
            messages.append({"type": "http.disconnect"})
        else:
            messages[-1]["more_body"] = False
        waiting = iter(messages)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return next(waiting)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        (operation,) = [one for one in self.routes.operations() if one.path == path]
        await operation.handler({"headers": pairs}, receive, send)
        return json.loads(b"".join(message.get("body", b"") for message in sent))

    async def close(self) -> None:
        self.writer.refuse()
        assert await asyncio.to_thread(self.writer.close, 30)


def drive(store: MemoryStore, scenario, **bounds: int) -> None:
    async def main() -> None:
        requests = Requests(store, **bounds)
        try:
            await scenario(requests)
        finally:
            if isinstance(store, Gated):
                store.release.set()
            await requests.close()
        assert requests.admission.bytes_in_work == 0

    asyncio.run(main())


def test_a_body_counts_until_its_events_are_written():
    store = Gated()

    async def scenario(requests: Requests) -> None:
        task = asyncio.create_task(requests.post("/event", b'{"_id"', b':"a"}'))
        assert await asyncio.to_thread(store.entered.wait, 30)
        assert requests.admission.bytes_in_work == len(b'{"_id":"a"}')
        store.release.set()
        assert (await task)["_id"] == "a"
        assert requests.admission.bytes_in_work == 0

    drive(store, scenario)


def test_a_packed_body_counts_as_what_it_unpacks_to():
    store = Gated()
    body = json.dumps({"event_data": "x" * LARGE}).encode()

    async def scenario(requests: Requests) -> None:
        packed = gzip.compress(body)
        task = asyncio.create_task(requests.post("/event", packed, content_encoding="gzip"))
        assert await asyncio.to_thread(store.entered.wait, 30)
        assert requests.admission.bytes_in_work == len(body)
        store.release.set()
        await task

    drive(store, scenario)


def test_a_body_that_is_too_much_for_now_is_refused_before_it_is_whole():
    store = Gated()

    async def scenario(requests: Requests) -> None:
        task = asyncio.create_task(requests.post("/event", b'{"_id":"a"}'))
        assert await asyncio.to_thread(store.entered.wait, 30)
        with pytest.raises(OverloadedError):
            await requests.post("/events", b"x" * 30_000, b"x" * 30_000)
        assert requests.admission.bytes_in_work == len(b'{"_id":"a"}')
        store.release.set()
        await task
        await requests.post("/event", b"{}" + b" " * 99_998, content_length="100000")

    drive(store, scenario, max_bytes_in_work=50_000)


@pytest.mark.parametrize("path", ["/event", "/events"])
@pytest.mark.parametrize(
    ("parts", "headers", "error"),
    [
        ([b"{}", b"x" * 1_000_000], {}, TooLargeError),
        ([b"{}"], {"content_length": "1000001"}, TooLargeError),
        ([b""], {}, MalformedJsonError),
        ([b"[" * LARGE], {}, Exception),
        ([b"{}"], {"content_encoding": "gzip"}, MalformedJsonError),
        ([b"{}"], {"content_encoding": "br"}, UnsupportedBodyError),
        ([gzip.compress(bytes(1_000_001))], {"content_encoding": "gzip"}, TooLargeError),
        ([b'{"_id"', b':"a"}'], {}, StoreError),
    ],
    ids=["long", "announced", "empty", "deep", "no gzip", "brotli", "bomb", "store"],
)
def test_the_bytes_of_a_request_that_fails_are_given_back(path, parts, headers, error):
    async def scenario(requests: Requests) -> None:
        with pytest.raises(error):
            await requests.post(path, *parts, **headers)
        assert requests.admission.bytes_in_work == 0

    drive(Refusing(), scenario)


@pytest.mark.parametrize("path", ["/event", "/events"])
def test_the_bytes_of_a_client_that_goes_away_are_given_back(path):
    async def scenario(requests: Requests) -> None:
        with pytest.raises(ClientDisconnect):
            await requests.post(path, b'{"_id":"a"', b"," * 50, cut=True)
        assert requests.admission.bytes_in_work == 0

    store = MemoryStore()
    drive(store, scenario)


@pytest.mark.parametrize("path", ["/event", "/events"])
@pytest.mark.parametrize("body", [b"{}", b'{"event_data":"' + b"x" * LARGE + b'"}'])
def test_the_bytes_of_a_request_that_is_cancelled_are_given_back(path, body):
    store = Gated()

    async def scenario(requests: Requests) -> None:
        task = asyncio.create_task(requests.post(path, body))
        assert await asyncio.to_thread(store.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert requests.admission.bytes_in_work == 0

    drive(store, scenario)


def test_the_bytes_of_a_body_that_is_over_the_bound_only_when_unpacked_are_given_back():
    store = Gated()
    packed = gzip.compress(b"{}" + b" " * 5000)

    async def scenario(requests: Requests) -> None:
        task = asyncio.create_task(requests.post("/event", b'{"_id":"a"}'))
        assert await asyncio.to_thread(store.entered.wait, 30)
        with pytest.raises(OverloadedError):
            await requests.post("/event", packed, content_encoding="gzip")
        assert requests.admission.bytes_in_work == len(b'{"_id":"a"}')
        store.release.set()
        await task

    drive(store, scenario, max_bytes_in_work=1000)


def test_an_event_that_is_refused_among_others_takes_no_bytes_with_it():
    async def scenario(requests: Requests) -> None:
        reply = await requests.post("/events", b'{"_id":"a"}\n[]\n')
        assert (reply["received"], reply["stored"], reply["rejected"]) == (2, 1, 1)
        with pytest.raises(InvalidEventError):
            await requests.post("/event", b"[]")

    drive(MemoryStore(), scenario)
