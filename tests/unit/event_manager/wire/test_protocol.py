"""Connections over TCP: replies whole and in order, and an end to everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest

from madsci.event_manager.wire.bounds import Bounds
from madsci.event_manager.wire.protocol import BoundedProtocol
from support.connections import CHUNK, GET, LAST, Flood, connected, echo, one_reply, unchunked

# -- Over TCP --------------------------------------------------------------------------------------


def test_the_reply_to_one_request_arrives_whole_and_at_once(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            for number in (1, 3, 100):
                writer.write(GET % number)
                reply = await reader.read(65_536)
                head, _, body = reply.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert body == b"/%d" % number

    run(scenario())


def test_requests_that_are_sent_without_waiting_are_answered_in_order(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"".join(GET % number for number in range(30)))
            for number in range(30):
                _, body = await one_reply(reader)
                assert body == b"/%d" % number

    run(scenario())


def test_a_large_streamed_reply_is_complete(run):
    async def scenario():
        app = Flood(200)
        async with connected(app) as (reader, writer, _):
            writer.write(LAST % 1)
            await reader.readuntil(b"\r\n\r\n")
            assert unchunked(await reader.read()) == CHUNK * 200 + b"the end"

    run(scenario())


def test_a_reply_is_flushed_before_its_connection_is_closed(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"".join(GET % number for number in range(5)) + LAST % 5)
            everything = await reader.read()
            assert everything.count(b"HTTP/1.1 200 OK") == 6
            assert everything.endswith(b"connection: close\r\n\r\n/5")

    run(scenario())


def test_a_request_that_is_no_http_is_answered_before_its_connection_is_closed(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    run(scenario())


@pytest.mark.parametrize("end", [BoundedProtocol.shutdown, BoundedProtocol.cut])
def test_a_server_that_shuts_down_closes_idle_connections(run, end):
    async def scenario():
        async with connected(echo) as (reader, writer, state):
            writer.write(GET % 1)
            await one_reply(reader)
            for connection in list(state.connections):
                end(connection)
            assert await reader.read() == b""

    run(scenario())


def test_who_waits_for_an_answer_that_is_cut_is_told_and_the_work_at_it_ends(run):
    async def scenario():
        app = Taking()
        async with connected(app) as (reader, writer, state):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            await reader.readuntil(b"100 Continue\r\n\r\n")  # somebody asks for the body
            for connection in list(state.connections):
                connection.cut()
            status, found = problem(await reader.read())
            assert (status, found["code"]) == (503, "overloaded")
            await asyncio.gather(*state.tasks)
            assert app.gone == 1

    run(scenario())


def test_a_part_of_a_reply_that_is_cut_does_not_look_like_all_of_it(run):
    async def scenario():
        app = Flood(2000)
        async with connected(app) as (reader, writer, state):
            writer.write(GET % 1)
            await reader.readuntil(b"\r\n\r\n")
            for connection in list(state.connections):
                connection.cut()
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
            await asyncio.gather(*state.tasks)

    run(scenario())


def test_a_streamed_reply_waits_for_a_client_that_does_not_read(run):
    async def scenario():
        app = Flood(2000)  # 131 MB: more than any socket holds
        async with connected(app) as (reader, writer, state):
            reader._transport.pause_reading()
            writer.write(LAST % 1)
            for _ in range(2000):
                await asyncio.sleep(0)
            held_back = app.sent
            for connection in list(state.connections):
                connection.transport.abort()
        assert 0 < held_back < 1000

    run(scenario())


# -- Heads -----------------------------------------------------------------------------------------


def problem(reply: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a reply that is a problem."""
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    status = int(head.split(b" ")[1])
    found = json.loads(body)
    assert found["status"] == status
    return status, found


HEAD = b"GET /1 HTTP/1.1\r\nHost: test\r\n"


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"a: b\r\n" * 100 + b"\r\n",
        HEAD + b"a: " + b"x" * 65_536 + b"\r\n\r\n",
        HEAD + b"a: " + b"x" * 300_000,
        HEAD + b"a: b\r\n" * 200,
        b"GET /" + b"1" * 65_536 + b" HTTP/1.1\r\n\r\n",
        b"GET /" + b"1" * 300_000,
        b"\r\n" * 40_000,
        HEAD + b"x" * 300_000,
    ],
    ids=["lines", "bytes", "endless value", "endless lines", "url", "endless url", "blank", "name"],
)
@pytest.mark.parametrize("ahead", [b"", LAST[:0] + GET % 7], ids=["first", "second"])
def test_a_head_over_the_bounds_is_answered_with_431_and_the_connection_closed(run, head, ahead):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(ahead)
            if ahead:
                assert (await one_reply(reader))[1] == b"/7"
            writer.write(head)
            status, found = problem(await reader.read())
            assert (status, found["code"]) == (431, "head-too-large")

    run(scenario())


def test_a_head_within_the_bounds_is_read_however_it_is_cut(run):
    head = HEAD + b"a: b\r\n" * 90 + b"c: " + b"x" * 60_000 + b"\r\n\r\n"

    async def scenario():
        async with connected(echo) as (reader, writer, _):
            for size in (len(head), 20_000, 999):
                for start in range(0, len(head), size):
                    writer.write(head[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(0)
                assert (await one_reply(reader))[1] == b"/1"

    run(scenario())


@pytest.mark.parametrize(
    "tail",
    [b"0\r\n" + b"a: b\r\n" * 200, b"0\r\na: " + b"x" * 300_000, b"1;" + b"x" * 300_000],
    ids=["lines", "bytes", "extension"],
)
def test_trailers_and_extensions_of_chunks_have_the_bounds_of_heads(run, tail):
    async def scenario():
        async with connected(Taking()) as (reader, writer, _):
            writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            await asyncio.sleep(0.05)
            for start in range(0, len(tail), 50_000):
                writer.write(tail[start : start + 50_000])
                await asyncio.sleep(0.01)
            assert problem(await reader.read())[0] == 431

    run(scenario())


def test_trailers_are_no_headers_of_the_request(run):
    async def scenario():
        app = Taking()
        async with connected(app) as (reader, writer, _):
            chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            writer.write(chunked + b"1\r\nx\r\n0\r\ncontent-encoding: gzip\r\n\r\n")
            assert (await one_reply(reader))[1] == b"1"
            assert app.scopes[0]["headers"] == [(b"transfer-encoding", b"chunked")]

    run(scenario())


def test_what_is_no_http_is_answered_with_a_problem(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            status, found = problem(await reader.read())
            assert (status, found["code"]) == (400, "malformed-request")

    run(scenario())


OFFER = b"POST /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize("size", [0, 5, 300_000])
@pytest.mark.parametrize("cut", [1_000_000, 50_000, 37])
def test_a_client_that_offers_another_protocol_is_answered_in_this_one(run, size, cut):
    """As Java's does with every request unless it is told not to."""
    data = (OFFER + b"Content-Length: %d\r\n\r\n" % size + b"G" * size) * 3 + GET % 1
    cut = max(cut, len(data) // 1000)

    async def scenario():
        async with connected(Taking()) as (reader, writer, _):
            for start in range(0, len(data), cut):
                writer.write(data[start : start + cut])
                await asyncio.sleep(0)
            for length in (size, size, size, 0):
                assert (await one_reply(reader))[1] == str(length).encode()

    run(scenario())


def test_chunks_of_a_client_that_offers_another_protocol_are_refused(run):
    async def scenario():
        async with connected(Taking()) as (reader, writer, _):
            writer.write(OFFER + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
            assert problem(await reader.read())[0] == 400

    run(scenario())


# -- Time ------------------------------------------------------------------------------------------

QUICK = Bounds(
    head_seconds=0.1,
    body_seconds=0.2,
    reply_seconds=0.2,
    idle_seconds=0.2,
    discard_seconds=0.2,
    leave_seconds=0.2,
    tick_seconds=0.02,
)
PATIENT = Bounds(tick_seconds=0.02)


class Taking:
    """Takes the whole body, then answers with its length. Notes the scopes, and who went away."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.gone = 0

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            size += len(message["body"])
            more = message["more_body"]
        await answer(send, 200, str(size).encode())


async def answer(send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def drip(writer: asyncio.StreamWriter, data: bytes, seconds: float) -> None:
    """Write something now, and its last byte again and again for as long as somebody listens."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(seconds)
            data = data[-1:]


@pytest.mark.parametrize("ahead", [b"", GET % 1])
def test_a_head_that_does_not_come_to_its_end_is_answered_with_408(run, ahead):
    async def scenario():
        async with connected(echo, QUICK) as (reader, writer, _):
            if ahead:
                writer.write(ahead)
                await one_reply(reader)
            dripping = asyncio.create_task(drip(writer, b"GET / HTTP/1.1\r\na: ", 0.02))
            status, found = problem(await reader.read())
            assert (status, found["code"]) == (408, "request-timeout")
            dripping.cancel()

    run(scenario())


@pytest.mark.parametrize("byte", [b"", b"x"], ids=["stalled", "slow"])
def test_a_body_that_does_not_get_on_is_answered_with_408_and_its_work_ends(run, byte):
    async def scenario():
        app = Taking()
        async with connected(app, QUICK) as (reader, writer, state):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx")
            dripping = asyncio.create_task(drip(writer, byte, 0.01))
            assert problem(await reader.read())[0] == 408
            await asyncio.gather(*state.tasks)
            assert app.gone == 1
            dripping.cancel()

    run(scenario())


def test_a_body_that_gets_on_may_take_its_time(run):
    async def scenario():
        bounds = replace(QUICK, body_rate=1)
        async with connected(Taking(), bounds) as (reader, writer, _):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\n")
            for _ in range(50):
                writer.write(b"x")
                await asyncio.sleep(0.01)
            assert (await one_reply(reader))[1] == b"50"

    run(scenario())


@pytest.mark.parametrize("first", [b"", GET % 1], ids=["never used", "used"])
def test_an_idle_connection_is_closed(run, first):
    async def scenario():
        async with connected(echo, QUICK) as (reader, writer, state):
            if first:
                writer.write(first)
                await one_reply(reader)
            assert await reader.read() == b""
            assert not state.connections

    run(scenario())


def test_a_request_that_is_at_work_is_not_idle(run):
    async def slow(scope, receive, send) -> None:
        await asyncio.sleep(0.6)
        await answer(send, 200, b"late")

    async def scenario():
        async with connected(slow, QUICK) as (reader, writer, _):
            writer.write(GET % 1)
            assert (await one_reply(reader))[1] == b"late"

    run(scenario())


def test_a_reader_that_stops_is_closed_and_its_work_ends(run):
    async def scenario():
        app = Flood(2000)  # 131 MB: more than any socket holds
        async with connected(app, QUICK) as (reader, writer, state):
            reader._transport.pause_reading()
            writer.write(LAST % 1)
            await asyncio.sleep(0.05)
            await asyncio.gather(*state.tasks)
            assert app.sent < app.chunks + 1
            assert not state.connections

    run(scenario())


def test_a_slow_reader_is_waited_for(run):
    async def scenario():
        app = Flood(200)
        async with connected(app, QUICK) as (reader, writer, _):
            writer.write(LAST % 1)
            await reader.readuntil(b"\r\n\r\n")
            size = 0
            while data := await reader.read(200_000):
                size += len(data)
                await asyncio.sleep(0.02)
            assert size > 200 * 65_536

    run(scenario())


# -- Bodies that nobody reads ----------------------------------------------------------------------


async def refusing(scope, receive, send) -> None:
    await answer(send, 413, b"too large")


def test_the_rest_of_a_body_that_was_answered_is_read_so_that_the_answer_arrives(run):
    async def scenario():
        async with connected(refusing) as (reader, writer, _):
            for _ in range(2):
                writer.write(b"POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000))
                await writer.drain()
                head, body = await one_reply(reader)
                assert head.startswith(b"HTTP/1.1 413")
                assert body == b"too large"

    run(scenario())


def test_a_body_that_was_answered_and_never_ends_is_closed(run):
    async def scenario():
        async with connected(refusing, QUICK) as (reader, writer, _):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
            dripping = asyncio.create_task(drip(writer, bytes(10_000), 0.01))
            await one_reply(reader)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            await dripping

    run(scenario())


def test_a_body_that_is_held_back_and_refused_ends_the_connection(run):
    async def scenario():
        async with connected(refusing) as (reader, writer, _):
            writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
            assert (await one_reply(reader))[0].startswith(b"HTTP/1.1 413")
            assert await reader.read() == b""

    run(scenario())


# -- Requests that are sent ahead ------------------------------------------------------------------


def test_who_sends_too_many_requests_ahead_is_answered_some_and_closed(run):
    async def scenario():
        async with connected(echo) as (reader, writer, _):
            writer.write((GET % 1) * 10_000)
            replies = (await reader.read()).count(b"HTTP/1.1 200 OK")
            assert 1 <= replies <= 34

    run(scenario())


def test_a_malformed_request_does_not_take_the_answers_before_it(run):
    async def slow(scope, receive, send) -> None:
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    async def scenario():
        async with connected(slow) as (reader, writer, _):
            writer.write((GET % 1) * 3 + b"nonsense\r\n\r\n")
            replies = await reader.read()
            assert replies.count(b"HTTP/1.1") == replies.count(b"200 OK") == 3

    run(scenario())


# -- Half a connection -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("seconds", [0, 0.7])
def test_a_client_that_closed_its_side_is_answered(run, requests, seconds):
    async def app(scope, receive, send) -> None:
        await asyncio.sleep(seconds)
        await echo(scope, receive, send)

    async def scenario():
        async with connected(app, PATIENT) as (reader, writer, state):
            writer.write((GET % 1) * requests)
            writer.write_eof()
            replies = await reader.read()
            assert replies.count(b"200 OK") == requests
            assert replies.endswith(b"/1")
            assert not state.connections

    run(scenario())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"])
def test_half_a_request_that_is_closed_ends_at_once(run, sent):
    async def scenario():
        app = Taking()
        async with connected(app, PATIENT) as (reader, writer, state):
            writer.write(sent)
            writer.write_eof()
            assert await reader.read() == b""
            await asyncio.gather(*state.tasks)
            assert app.gone == (1 if b"POST" in sent else 0)

    run(scenario())


@pytest.mark.parametrize("requests", [1, 2])
def test_a_client_that_is_gone_is_noticed_and_its_work_ends(run, requests):
    noticed = asyncio.Event()

    async def app(scope, receive, send) -> None:
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        noticed.set()

    async def scenario():
        async with connected(app, PATIENT) as (_, writer, state):
            writer.write((GET % 1) * requests)
            await asyncio.sleep(0.05)
            writer.close()
            await noticed.wait()
            await asyncio.gather(*state.tasks)
            assert not state.connections

    run(scenario())
