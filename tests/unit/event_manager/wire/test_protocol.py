"""Connections over TCP: replies whole and in order, and an end to everything."""

from __future__ import annotations

import asyncio

import pytest
from support.connections import CHUNK, GET, LAST, Flood, connected, echo, one_reply, unchunked

from madsci.event_manager.wire.bounds import Bounds


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


def test_a_server_that_shuts_down_closes_idle_connections(run):
    async def scenario():
        async with connected(echo) as (reader, writer, state):
            writer.write(GET % 1)
            await one_reply(reader)
            for connection in list(state.connections):
                connection.shutdown()
            assert await reader.read() == b""

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


