"""The sender delivers everything it can, in order, and says what it could not."""

from __future__ import annotations

import logging
import random
import threading
import time

import pytest

from madsci.client.delivery.access import ServerAccess
from madsci.client.delivery.http import HttpTransport
from madsci.client.delivery.retry import Backoff
from madsci.client.delivery.sender import Sender, SenderSettings
from madsci.client.delivery.transport import Rejection, SendReport
from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.spool import Spool
from madsci.client.testing import RecordingTransport
from madsci.common.errors import ServerUnreachableError
from support.server import wait_until


class User:
    """Somebody who may log."""


USER = User()
QUICK = Backoff(base=0.001, cap=0.002)


def body(event_id, text=""):
    return b'{"event_id":"%b","event_data":"%b"}' % (event_id.encode(), text.encode())


@pytest.fixture
def make_sender():
    senders = []

    def make(transport, max_events=100_000, **settings):
        settings = {"backoff": QUICK, "flush_interval": 0.001, **settings}
        spool = Spool(None, SpoolSettings(memory_max_events=max_events))
        senders.append(Sender(spool, transport, SenderSettings(**settings)))
        senders[-1].users.add(USER)
        return senders[-1]

    yield make
    for sender in senders:
        sender.leave(USER, 0.5)


def put_many(sender, count, text=""):
    for number in range(count):
        sender.spool.append(body(f"e{number:05}", text))


def test_events_arrive_in_order_and_in_batches(make_sender, peer):
    sender = make_sender(
        HttpTransport(ServerAccess(peer.url)), batch_max_events=100, flush_interval=5.0
    )
    put_many(sender, 1000)
    assert sender.flush(10)
    assert list(peer.events) == [f"e{number:05}" for number in range(1000)]
    assert len(peer.requests) == 10
    stats = sender.stats()
    assert (stats.queued, stats.sent, stats.acknowledged, stats.oldest_age) == (0, 1000, 1000, None)


def test_events_are_sent_without_being_asked_for(make_sender, peer):
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    sender.spool.append(body("a"))
    wait_until(lambda: "a" in peer.events)


def test_a_server_without_batches_gets_single_events_and_is_remembered(make_sender, reference_peer):
    sender = make_sender(HttpTransport(ServerAccess(reference_peer.url)))
    put_many(sender, 3)
    assert sender.flush(10)
    sender.spool.append(body("later"))
    assert sender.flush(10)
    assert len(reference_peer.events) == 4
    assert reference_peer.paths().count("/events") == 1


def test_an_unreachable_server_gets_the_events_when_it_comes_back(make_sender):
    transport = RecordingTransport()
    transport.reports = [SendReport(0, failure=ServerUnreachableError())] * 5
    sender = make_sender(transport)
    put_many(sender, 3)
    wait_until(lambda: len(transport.events) == 3)
    assert 3 + 5 <= sender.stats().sent <= 18  # the first attempts may have come before the last event


def test_random_numbers_of_the_program_stay_as_they_would_be(make_sender):
    transport = RecordingTransport()
    transport.reports = [SendReport(0, failure=ServerUnreachableError())] * 5
    sender = make_sender(transport, backoff=Backoff(base=0.001, cap=0.002))
    random.seed(7)
    sender.spool.append(body("a"))
    wait_until(lambda: len(transport.events) == 1)
    assert random.random() == random.Random(7).random()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 401, 307])
def test_temporary_trouble_loses_nothing(make_sender, peer, status):
    peer.script = [(status, {})] * 3
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    put_many(sender, 3)
    assert sender.flush(10)
    assert len(peer.events) == 3
    assert str(status) in sender.stats().last_error


def test_retry_after_is_honoured_even_in_a_hurry(make_sender, peer):
    peer.script = [(503, {"Retry-After": "1"})]
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    sender.spool.append(body("a"))
    started = time.monotonic()
    assert not sender.flush(0.3)
    assert sender.flush(10)
    assert time.monotonic() - started >= 0.9


def test_too_large_batches_are_halved_until_they_pass(make_sender, peer):
    peer.max_body = 1000
    sender = make_sender(HttpTransport(ServerAccess(peer.url)), batch_max_events=64)
    put_many(sender, 64, "x" * 100)
    assert sender.flush(10)
    assert len(peer.events) == 64
    assert sender.stats().rejected == 0


def test_a_single_event_that_is_too_large_is_put_aside_and_told_about(make_sender, peer, caplog):
    peer.max_body = 1000
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    sender.spool.append(body("a"))
    sender.spool.append(body("huge", "x" * 2000))
    sender.spool.append(body("b"))
    with caplog.at_level(logging.WARNING):
        assert sender.flush(10)
    assert list(peer.events) == ["a", "b"]
    assert [rejected.event_id for rejected in sender.rejected] == ["huge"]
    assert sender.stats().rejected == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "huge" in caplog.text


def test_refused_lines_are_put_aside_with_their_reason_and_the_others_arrive(make_sender, peer):
    peer.refused_ids = {"e00001", "e00003"}
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    put_many(sender, 5)
    assert sender.flush(10)
    assert list(peer.events) == ["e00000", "e00002", "e00004"]
    assert [(refused.event_id, refused.reason) for refused in sender.rejected] == [
        ("e00001", "not liked"), ("e00003", "not liked"),
    ]  # fmt: skip
    assert (sender.stats().acknowledged, sender.stats().rejected) == (3, 2)


def test_a_batch_in_which_every_line_is_refused_is_settled(make_sender, peer):
    peer.refused_ids = {"e00000"}
    sender = make_sender(HttpTransport(ServerAccess(peer.url)))
    put_many(sender, 1)
    assert sender.flush(10)
    assert sender.stats().rejected == 1


def test_a_hanging_server_holds_up_no_one(make_sender, peer):
    peer.script = [(0, {})]
    sender = make_sender(HttpTransport(ServerAccess(peer.url), timeout=20))
    started = time.monotonic()
    put_many(sender, 1000)
    assert not sender.flush(0.05)
    assert not sender.leave(USER, 0.05)
    assert time.monotonic() - started < 5
    assert sender.stats().queued == 1000


def test_a_full_queue_loses_the_oldest_and_counts_them(make_sender):
    transport = RecordingTransport()
    transport.reports = [SendReport(0, failure=ServerUnreachableError())] * 10_000
    sender = make_sender(transport, max_events=10, backoff=Backoff(base=30, draw=lambda _, top: top))
    put_many(sender, 25)
    stats = sender.stats()
    assert (stats.queued, stats.lost) == (10, 15)
    assert stats.oldest_age >= 0


def test_what_a_finalizer_logs_in_the_thread_that_sends_is_kept(make_sender):
    class Littering(RecordingTransport):
        count = 0

        def send(self, events, timeout=None):
            self.count += 1
            if self.count <= 3:  # as the garbage collector may run a driver's __del__ here
                sender.spool.append(body(f"late{self.count}"))
            return super().send(events, timeout)

    transport = Littering()
    sender = make_sender(transport)
    sender.spool.append(body("a"))
    assert sender.flush(10)
    assert sender.flush(10)
    assert {"a", "late1"} <= {event.event_id for event in transport.events}


def test_an_error_of_our_own_does_not_end_the_thread(make_sender):
    class Faulty(RecordingTransport):
        failures = 3

        def send(self, events, timeout=None):
            if self.failures:
                self.failures -= 1
                raise ZeroDivisionError("a bug")
            return super().send(events, timeout)

    transport = Faulty()
    sender = make_sender(transport)
    sender.spool.append(body("a"))
    assert sender.flush(10)
    assert "a bug" in sender.stats().last_error


def test_a_closed_sender_begins_anew(make_sender):
    transport = RecordingTransport()
    sender = make_sender(transport)
    for event_id in ("a", "b"):
        sender.spool.append(body(event_id))
        assert sender.leave(USER, 10)
    assert [event.event_id for event in transport.events] == ["a", "b"]


def test_clients_of_one_address_share_one_sender_and_one_thread(make_client, peer):
    before = set(threading.enumerate())  # other tests' senders go on trying
    first = make_client(event_server=peer.url)
    second = make_client(event_server=peer.url + "/", name="other")
    first.info("a")
    second.info("b")
    names = [thread.name for thread in threading.enumerate() if thread not in before]
    assert names.count("madsci-event-sender") == 1
    first.close()
    second.info("c")
    assert second.flush()
    assert len(peer.events) == 3


def test_a_sender_ends_with_its_last_user(make_sender):
    transport = RecordingTransport()
    sender = make_sender(transport)
    other = User()
    sender.users.add(other)
    sender.spool.append(body("a"))
    assert sender.leave(USER, 10)
    assert not transport.is_closed
    del other  # dropped, without a word
    sender.spool.append(body("b"))
    wait_until(lambda: transport.is_closed)
    wait_until(lambda: sender._thread is None)
    sender.spool.append(body("c"))
    wait_until(lambda: len(transport.events) == 3)


def test_a_report_without_failure_that_settles_a_part_has_the_rest_sent_again(make_sender):
    transport = RecordingTransport()
    transport.reports = [SendReport(2, rejected=(Rejection(1, "bad"),))]
    sender = make_sender(transport, flush_interval=0.2)
    put_many(sender, 4)
    assert sender.flush(10)
    assert sorted(event.event_id for event in transport.events) == ["e00000", "e00002", "e00003"]
