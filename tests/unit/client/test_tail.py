"""A tail over breaks of its connection: every event, once, in order."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
import time
from datetime import datetime, timezone
from itertools import islice

import pytest
import trustme

from madsci.client.delivery import Backoff
from madsci.client.delivery.access import ServerAccess
from madsci.client.delivery.http import HttpTransport
from madsci.client.event_client import EventClient
from madsci.client.reading.asking import Asker
from madsci.client.reading.resuming import LiveQuestion, ResumingStream
from madsci.client.reading.tail import Tail
from madsci.common.errors import EventServerError, ServerRefusedError, ServerUnreachableError
from madsci.common.types.client_config import EventClientConfig
from support.live_peer import Reply, end_line, event_line, live_peer, place, standing_line
from support.server import free_port, wait_until

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
NEEDS_SIGNALS = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals are others here")


@pytest.fixture
def peer():
    with live_peer() as peer:
        yield peer


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


def numbers(events, count):
    return [event.event_data["number"] for event in islice(events, count)]


def impatient_tail(peer, *, silence=0.2, said=None):
    """One for which a connection is dead after a moment."""
    transport = HttpTransport(ServerAccess(peer.url))
    asker = Asker(transport, EventClientConfig(retry_enabled=False))
    question = LiveQuestion({}, b"{}", 5.0, silence, Backoff(base=0.01))
    return Tail(ResumingStream(asker, question, said.append if said is not None else None), place(0))


def test_events_come_in_order_and_the_position_is_behind_the_last_one(client, peer):
    peer.happen(2)
    with client.tail(since=place(0)) as tail:
        assert tail.position == place(0)
        assert numbers(tail, 2) == [1, 2]
        peer.happen()
        assert numbers(tail, 1) == [3]
        assert (tail.position, tail.is_live, tail.missed) == (place(3), True, 0)
    assert list(tail) == []


def test_what_comes_after_the_call_is_seen_even_before_the_first_look(client, peer):
    with client.tail() as tail:
        peer.happen()
        assert numbers(tail, 1) == [1]


def test_the_question_is_posted_and_means_what_questions_mean(client, peer):
    moment = datetime(2026, 11, 23, tzinfo=timezone.utc)
    client.tail({"event_timestamp": {"$gte": moment}}, since="start-1", level="warning").close()
    (asked,) = peer.asked
    assert (asked.method, asked.path) == ("POST", "/events/stream")
    assert json.loads(asked.body) == {"event_timestamp": {"$gte": "2026-11-23T00:00:00.000000Z"}}
    assert asked.params == {"level": "30", "since": "start-1", "include_archived": "true"}
    assert asked.headers["Accept"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("since", "sent"),
    [
        (datetime(2026, 11, 23, tzinfo=timezone.utc), "2026-11-23T00:00:00.000000Z"),
        ("2026-11-23T01:00:00+01:00", "2026-11-23T00:00:00.000000Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (" now ", "now"),
        ("start", "start"),
        ("last:100", "last:100"),
        (place(7), place(7)),
        ("0-12.01m84hx3ctds9p8a5qkcma1tvt-99", "0-12.01m84hx3ctds9p8a5qkcma1tvt-99"),
    ],
)
def test_times_are_sent_as_instants_and_the_rest_as_it_is(client, peer, since, sent):
    peer.script = [lambda reply: reply.begin().write(standing_line(0))]
    client.tail(since=since).close()
    assert peer.places() == [sent]


def test_a_time_relative_to_now_is_relative_to_this_machines_clock(client, peer):
    peer.script = [lambda reply: reply.begin().write(standing_line(0))]
    client.tail(since="-1h").close()
    assert (
        abs(time.time() - 3600 - datetime.fromisoformat(peer.places()[0][:-1] + "+00:00").timestamp())
        < 60
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"selector": "warning"}, TypeError),
        ({"selector": {"event_data.x": print}}, TypeError),
        ({"level": "loud"}, ValueError),
        ({"since": " "}, ValueError),
        ({"since": True}, ValueError),
        ({"since": ["now"]}, (TypeError, ValueError)),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_request(client, peer, arguments, error):
    for method in (client.tail, client.async_tail):
        with pytest.raises(error):
            method(**arguments)
    assert peer.asked == []


def test_a_client_without_a_server_says_what_is_missing():
    with EventClient(log_file_enabled=False, log_console_enabled=False) as client:
        with pytest.raises(EventServerError, match="event_server_url"):
            client.tail()
        with pytest.raises(EventServerError, match="event_server_url"):
            client.async_tail()


def test_a_server_that_is_not_there_is_told_by_the_first_call(make_client):
    client = make_client(event_server=f"http://127.0.0.1:{free_port()}", retry_enabled=False)
    with pytest.raises(ServerUnreachableError, match="does not answer"):
        client.tail()


@pytest.mark.parametrize("status", [404, 405])
def test_an_older_server_is_called_that(client, peer, status):
    peer.script = [lambda reply: reply.refuse(status)]
    with pytest.raises(ServerRefusedError, match="too old for tail") as caught:
        client.tail()
    assert caught.value.status == status


@pytest.mark.parametrize("how", [lambda _: None, lambda reply: reply.begin().finish()])
def test_a_server_that_hangs_up_before_the_first_line_is_told_by_the_first_call(peer, how):
    peer.script = 9 * [how]
    with pytest.raises(ServerUnreachableError, match=peer.url):
        impatient_tail(peer)


def test_what_is_no_event_manager_is_called_that(client, peer):
    peer.script = [lambda reply: reply.begin("text/html").write(b"<html>Log in</html>")]
    with pytest.raises(ServerRefusedError, match="not an Event Manager"):
        client.tail()


def test_a_question_that_the_server_refuses_raises_its_reason(client, peer):
    peer.script = [lambda reply: reply.refuse(400, "No position of this store.")]
    with pytest.raises(ServerRefusedError, match="No position of this store"):
        client.tail(since="mine-1")


def test_a_server_with_too_many_streams_is_asked_again_by_the_first_call(client, peer):
    peer.happen()
    peer.script = [lambda reply: reply.refuse(503, Retry_After="0")]
    with client.tail(since=place(0)) as tail:
        assert numbers(tail, 1) == [1]


def half_an_event(reply: Reply) -> None:
    reply.begin().write(standing_line(0, is_live=False), event_line(1), event_line(2)[:40])


def a_proper_end(reply: Reply) -> None:
    reply.begin().write(standing_line(0, is_live=False), event_line(1), end_line(1)).finish()


def an_end_without_a_word(reply: Reply) -> None:
    reply.begin().write(standing_line(0, is_live=False) + event_line(1)).finish()


def silence(reply: Reply) -> None:
    reply.begin().write(standing_line(0, is_live=False), event_line(1)).wait()


@pytest.mark.parametrize("how", [half_an_event, a_proper_end, an_end_without_a_word, silence])
def test_a_break_makes_no_gap_and_no_repetition(peer, how):
    peer.happen(3)
    peer.script = [how]
    said: list[str] = []
    with impatient_tail(peer, said=said) as tail:
        assert numbers(tail, 3) == [1, 2, 3]
    assert peer.places() == [place(0), place(1)]
    assert "broke off" in said[0]
    assert "goes on" in said[1]


@pytest.fixture
def everything_is_told(monkeypatch):
    monkeypatch.setattr("madsci.client.reading.resuming.INTERVAL", 0.0)


def test_a_server_that_refuses_for_a_while_is_asked_until_it_does_not(peer, everything_is_told):
    peer.happen(2)
    peer.script = [
        half_an_event,
        lambda reply: reply.refuse(503, "Too many streams.", Retry_After="0"),
        lambda reply: reply.refuse(401),
        lambda reply: reply.refuse(404),
        lambda reply: reply.begin("text/html").write(b"<html>"),
        lambda _: None,
    ]
    said: list[str] = []
    with impatient_tail(peer, said=said) as tail:
        assert numbers(tail, 2) == [1, 2]
    assert peer.places() == [place(0)] + 6 * [place(1)]
    assert [text for text in said if "Too many streams" in text]


def test_a_position_that_is_refused_later_is_raised_and_ends_the_tail(peer):
    peer.script = [half_an_event, lambda reply: reply.refuse(400, "Of another store.")]
    tail = impatient_tail(peer)
    assert numbers(tail, 1) == [1]
    with pytest.raises(ServerRefusedError, match="Of another store"):
        next(tail)
    assert list(tail) == []
    assert tail.position == place(1)


def test_breaks_are_told_on_the_console_once_a_minute_and_so_is_their_end(client, peer, capsys):
    peer.happen(3)
    peer.script = [half_an_event, lambda reply: reply.refuse(503), half_an_event]
    with client.tail(since=place(0)) as tail:
        assert numbers(tail, 3) == [1, 1, 2]
    told = capsys.readouterr().err
    assert told.count("broke off") == 1
    assert told.count("goes on") == 1


def test_what_was_deleted_before_it_was_read_is_counted_over_all_connections(peer):
    peer.script = [
        lambda reply: reply.begin().write(
            standing_line(0, is_live=False, missed=2), event_line(1), standing_line(1, missed=3)
        ),
        lambda reply: (
            reply.begin().write(standing_line(9, is_live=False, missed=1), event_line(10)).wait()
        ),
    ]
    with impatient_tail(peer, silence=5) as tail:
        assert tail.missed == 2
        assert numbers(tail, 2) == [1, 10]
        assert tail.missed == 6


def test_the_position_gets_on_where_nothing_matches(peer):
    peer.script = [
        lambda reply: reply.begin().write(standing_line(0), standing_line(70), event_line(71)[:9]),
    ]
    said: list[str] = []
    with impatient_tail(peer, said=said) as tail:
        waiting = threading.Thread(target=next, args=(tail, None))
        waiting.start()
        wait_until(lambda: len(peer.asked) > 1, "resuming")
        tail.close()
        waiting.join(10)
    assert peer.places()[1] == place(70)


def test_an_event_that_cannot_be_read_is_told_and_left_out(peer, capsys):
    peer.script = [
        lambda reply: (
            reply.begin()
            .write(standing_line(0), event_line(1, event_id=None, _id=[1, 2]), event_line(2))
            .wait()
        )
    ]
    with impatient_tail(peer, silence=5) as tail:
        found = next(tail)
        while found.event_data["number"] != 2:
            found = next(tail)
        assert tail.position == place(2)


def test_history_ends_where_that_begins_which_is_to_come(client, peer):
    peer.happen(3)
    peer.script = [
        lambda reply: (
            reply.begin()
            .write(
                standing_line(0, is_live=False),
                *map(event_line, (1, 2)),
                standing_line(2),
                event_line(3),
            )
            .wait()
        )
    ]
    with client.tail(since=place(0)) as tail:
        assert [event.event_data["number"] for event in tail.history()] == [1, 2]
        assert list(tail.history()) == []
        assert numbers(tail, 1) == [3]


def ended_by(tail, end) -> bool:
    """Whether a thread that waits for an event comes back when something is done."""
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(next(tail, "closed")))
    waiting.start()
    end()
    waiting.join(10)
    return found == ["closed"] and not waiting.is_alive()


def test_closing_in_another_thread_ends_a_wait_for_events(client):
    tail = client.tail()
    assert ended_by(tail, tail.close)


def test_closing_in_another_thread_ends_a_wait_for_a_server_that_does_not_begin_its_reply(peer):
    peer.script = [half_an_event, Reply.wait]
    tail = impatient_tail(peer, silence=60)
    assert numbers(tail, 1) == [1]

    def close_when_asked() -> None:
        wait_until(lambda: len(peer.asked) == 2, "the second request")
        tail.close()

    assert ended_by(tail, close_when_asked)


def test_closing_in_another_thread_ends_a_pause_that_the_server_asked_for(peer, everything_is_told):
    peer.script = [half_an_event, lambda reply: reply.refuse(503, Retry_After="60")]
    said: list[str] = []
    tail = impatient_tail(peer, said=said)
    assert numbers(tail, 1) == [1]

    def close_in_the_pause() -> None:
        wait_until(lambda: len(said) == 2, "the pause")
        tail.close()

    assert ended_by(tail, close_in_the_pause)


@pytest.mark.parametrize("end", [Tail.close, lambda _: None])
def test_a_tail_that_is_closed_or_dropped_lets_its_connection_go(client, peer, end):
    peer.script = [lambda reply: reply.begin().write(standing_line(0)).wait_for_the_end()]
    tail = client.tail()
    end(tail)
    del tail
    assert peer.has_seen_the_end.wait(30)


def test_closing_ends_a_wait_for_events_that_come_through_tls(make_client, tmp_path):
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with live_peer(server) as peer:
        client = make_client(event_server=peer.url, event_server_ca_file=str(tmp_path / "ca.pem"))
        tail = client.tail()
        peer.happen()
        assert numbers(tail, 1) == [1]
        assert ended_by(tail, tail.close)


@NEEDS_SIGNALS
def test_closing_twice_and_in_a_signal_handler_is_well(client, peer):
    tail = client.tail()
    before = signal.signal(signal.SIGUSR1, lambda *_: tail.close())
    try:
        killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        killer.start()
        assert list(tail) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
    tail.close()


@NEEDS_SIGNALS
def test_an_interrupted_wait_loses_nothing(client, peer):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    tail = client.tail()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            next(tail)
    finally:
        signal.signal(signal.SIGUSR1, before)
    peer.happen(2)
    assert numbers(tail, 2) == [1, 2]
    tail.close()


def test_threads_that_share_a_tail_get_each_event_once(client, peer):
    tail = client.tail()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(e.event_data["number"] for e in tail))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    peer.happen(200)
    wait_until(lambda: len(found) >= 200, "all events")
    tail.close()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == list(range(1, 201))


@FORKS
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_closes_what_it_got_through_a_fork_leaves_its_parent_alone(client, peer):
    tail = client.tail()
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.extend(numbers(tail, 1)))
    waiting.start()
    child = os.fork()
    if child == 0:
        try:
            tail.close()
            list(tail)
        finally:
            os._exit(0)
    wait_until(lambda: os.waitpid(child, os.WNOHANG)[0], "the end of the child")
    peer.happen()
    waiting.join(10)
    assert found == [1]
    assert len(peer.asked) == 1
    tail.close()


@FORKS
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_by_itself_and_leaves_its_parents_connection_alone(client, peer):
    peer.happen(2)
    tail = client.tail(since=place(0))
    assert numbers(tail, 2) == [1, 2]
    waiting = threading.Thread(target=lambda: numbers(tail, 1))
    waiting.start()  # it has the turn while the process forks
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sending, json.dumps(numbers(tail, 1)).encode())
            tail.close()
        finally:
            os._exit(0)
    os.close(sending)
    wait_until(lambda: len(peer.asked) == 2, "the child's connection")
    peer.happen()
    with os.fdopen(receiving, "rb") as pipe:
        assert json.loads(pipe.read()) == [3]
    os.waitpid(child, 0)
    waiting.join(10)
    peer.happen()
    assert numbers(tail, 1) == [4]
    assert len(peer.asked) == 2
    tail.close()
