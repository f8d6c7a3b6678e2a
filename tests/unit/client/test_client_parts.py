"""Retry decisions, the spool in memory, HTTP sending, and what is shipped for users' tests."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timezone

import pytest

from madsci.client.delivery.access import ServerAccess
from madsci.client.delivery.http import HttpTransport
from madsci.client.delivery.retry import MAX_RETRY_AFTER, Backoff, is_temporary, parse_retry_after
from madsci.client.spool.contract import SpooledEvent
from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.spool import Spool
from madsci.client.testing import capture_events


def events(count, text="x"):
    return [
        SpooledEvent(n + 1, f"e{n}", f'{{"event_id":"e{n}","d":"{text}"}}'.encode(), 0.0)
        for n in range(count)
    ]


def test_backoff_doubles_up_to_its_cap_and_keeps_what_the_server_asked_for():
    highest = Backoff(base=1.0, cap=30.0, draw=lambda _, top: top)
    assert [highest.delay(n) for n in (1, 2, 3, 6, 5000)] == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert Backoff(draw=lambda low, _: low).delay(4, retry_after=7) == 7
    assert Backoff(draw=lambda low, _: low).delay(1, retry_after=1e9) == MAX_RETRY_AFTER


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0), (" 0 ", 0.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0), ("soon", None), ("", None), (None, None), ("-3", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_date(text, seconds):
    assert parse_retry_after(text, datetime(2026, 1, 1, tzinfo=timezone.utc)) == seconds


def test_only_statuses_about_the_content_are_final():
    assert [s for s in (400, 401, 404, 408, 413, 415, 422, 429, 500, 503) if not is_temporary(s)] == [
        400, 413, 415, 422,
    ]  # fmt: skip


def in_memory(**settings):
    return Spool(None, SpoolSettings(**settings))


def waiting_event(name, size=1):
    return b'{"event_id":"%b","x":"%b"}' % (name.encode(), b"x" * size)


def test_the_spool_gives_in_order_until_acknowledged():
    spool = in_memory()
    for name in "abc":
        spool.append(waiting_event(name))
    assert [event.event_id for event in spool.read(2, 1000)] == ["a", "b"]
    assert [event.event_id for event in spool.read(9, 3)] == ["a"]
    spool.acknowledge(spool.read(2, 1000)[-1].position)
    spool.acknowledge(1)
    assert [event.event_id for event in spool.read(9, 1000)] == ["c"]
    assert (spool.last_position, spool.settled_position) == (3, 2)


def test_memory_is_bounded_in_events_and_in_bytes():
    few = in_memory(memory_max_events=3)
    for number in range(5):
        few.append(waiting_event(str(number)))
    assert (few.stats().queued, few.stats().lost) == (3, 2)
    small = in_memory(memory_max_bytes=8000)
    for number in range(50):
        small.append(waiting_event(str(number), 400))
    assert 10 <= small.stats().queued <= 20
    assert small.stats().queued + small.stats().lost == 50
    small.append(waiting_event("big", 10_000))
    while batch := small.read(99, 100_000):
        small.acknowledge(batch[-1].position)
        last = batch[-1].event_id
    assert last == "big"
    assert "They are lost" in small.prospects


def test_large_batches_to_other_machines_are_compressed(peer):
    transport = HttpTransport(ServerAccess(peer.url))
    transport._compress = True  # loopback is never compressed
    assert transport.send(events(500, "x" * 100)).settled == 500
    assert peer.requests[0].headers["Content-Encoding"] == "gzip"
    assert len(peer.events) == 500
    peer.script = [(415, {})]
    assert transport.send(events(500, "y" * 100)).failure is None
    assert "Content-Encoding" not in peer.requests[-1].headers
    transport.close()


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_connection_whose_number_the_program_got_anew_is_left_to_it(peer):
    transport = HttpTransport(ServerAccess(peer.url))
    assert transport.send(events(1)).failure is None
    (pool,) = (transport._pool.pools[key] for key in transport._pool.pools.keys())  # noqa: SIM118
    number = next(one for one in pool.pool.queue if one is not None).sock.fileno()
    mine, other = socket.socketpair()
    os.dup2(mine.fileno(), number)
    try:
        assert transport.send(events(2)).failure is None
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)  # nothing was sent there, and it was not closed
        transport.close()
        os.write(number, b"still open")
        assert other.recv(99) == b"still open"
    finally:
        os.close(number)
        mine.close()
        other.close()


def test_duplicates_are_reported(peer):
    transport = HttpTransport(ServerAccess(peer.url))
    transport.send(events(2))
    assert transport.send(events(3)).duplicate == 2
    transport.close()


def test_refused_lines_that_are_not_listed_are_sent_again_for_their_reasons(peer):
    transport = HttpTransport(ServerAccess(peer.url))
    whole = peer.batch

    def batch(request):
        status, headers, reply = whole(request)
        reply["errors_omitted"] = max(len(reply["errors"]) - 2, 0)
        reply["errors"] = reply["errors"][:2]
        return status, headers, reply

    peer.batch = batch
    peer.refused_ids = {"e0", "e1", "e2"}
    first = transport.send(events(4))
    assert (first.settled, [r.index for r in first.rejected], first.failure) == (2, [0, 1], None)
    second = transport.send(events(4)[2:])
    assert (second.settled, [r.index for r in second.rejected]) == (2, [0])
    transport.close()


def test_a_wrong_address_is_trouble_not_a_server_of_an_older_release(reference_peer):
    transport = HttpTransport(ServerAccess(reference_peer.url + "/elsewhere"))
    report = transport.send(events(2))
    assert report.settled == 0
    assert "404" in report.failure.message
    transport.close()


def test_captures_nest_and_end(make_client, peer):
    client = make_client(event_server=peer.url)
    with capture_events() as outer:
        client.info("a")
        with capture_events() as inner:
            client.info("b")
        client.info("c")
    client.info("d")
    assert client.flush()
    assert [[e.event_data["message"] for e in some] for some in (outer, inner)] == [["a", "c"], ["b"]]
    assert [event["event_data"]["message"] for event in peer.events.values()] == ["d"]
