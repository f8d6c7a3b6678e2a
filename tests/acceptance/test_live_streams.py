"""Watching events from outside, in real processes: no gap and no repeat, whatever is killed."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter

import pytest

from support.browser import running_browser
from support.load import Load
from support.server import PATIENCE, ServerProcess, running_server, wait_until
from support.watching import Watcher

pytestmark = pytest.mark.timeout(300)


LANE_ENDS = 400.0
"""Seconds after which what a server had acknowledged when it was killed is read by others, at most."""


def see_all(watchers, acknowledged, seconds=PATIENCE):
    """Wait until each watcher has seen each event, and check that it saw none of them twice."""
    for watcher in watchers:
        wait_until(
            lambda watcher=watcher: acknowledged <= set(watcher.seen),
            "all events to be seen",
            seconds=seconds,
        )
        assert set(Counter(watcher.seen).values()) == {1}
        assert watcher.missed == 0


@pytest.mark.slow
def test_the_past_then_what_comes_as_curl_sees_it(tmp_path):
    with running_server(tmp_path) as server:
        server.post("event", {"event_id": "one", "log_level": "ERROR"})
        server.post("event", {"event_id": "calm"})
        with Watcher([server], selector='{"log_level": {"$gte": "error"}}') as watcher:
            wait_until(lambda: watcher.is_live, "the end of the past")
            assert watcher.seen == ["one"]
            server.post("event", {"event_id": "two", "log_level": "CRITICAL"})
            server.post("event", {"event_id": "calm", "alert": True})
            wait_until(lambda: len(watcher.seen) == 2, "the second error")
        assert watcher.seen == ["one", "two"]
        reply = server.request("GET", "events/stream?since=last:1&follow=false")
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        assert b'data: {"_id":"two"' in reply.body
        assert b"event: end" in reply.body
        assert server.request("HEAD", "events/stream").status == 200


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again_shows_all_of_it_once(tmp_path):
    with running_server(tmp_path) as server, contextlib.ExitStack() as watching:
        watchers = [watching.enter_context(Watcher([server])) for _ in range(5)]
        with Load(server, 4, pause=0.05) as load:
            for number in range(3):
                before = len(load.acknowledged)
                wait_until(lambda before=before: len(load.acknowledged) > before + 100, "new events")
                wait_until(
                    lambda number=number: all(
                        one.is_live and one.connections > number for one in watchers
                    ),
                    "the streams",
                )
                server.kill()
                server.start()
        see_all(watchers, set(load.acknowledged))
        # Who had seen all before the last kill need not be back yet.
        wait_until(lambda: all(watcher.connections >= 4 for watcher in watchers), "the streams")
        assert all(set(watcher.seen) <= load.sent for watcher in watchers)


def test_a_server_that_stops_says_so_and_waits_for_no_stream(tmp_path):
    with running_server(tmp_path) as server:
        server.post("event", {"event_id": "one"})
        with Watcher([server]) as watcher:
            wait_until(lambda: watcher.is_live, "the stream")
            server.stop()
            wait_until(lambda: watcher.ends, "the end")
        assert watcher.ends[0] == "The server stops."


@pytest.mark.slow
def test_a_reader_that_has_stopped_costs_the_others_nothing(tmp_path):
    large = [{"event_data": "x" * 100_000} for _ in range(100)]
    with (
        running_server(tmp_path) as server,
        contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as stopped,
    ):
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stopped.sendall(b"GET /events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert stopped.recv(15) == b"HTTP/1.1 200 OK"
        with Watcher([server], since="now") as watcher:
            wait_until(lambda: watcher.is_live, "the stream")
            for _ in range(10):
                assert server.post("events", large).status == 200
            wait_until(lambda: len(watcher.seen) == 1_000, "what was sent")
        assert server.get("health")["healthy"]


@pytest.mark.slow
def test_a_page_of_the_lab_watches_with_what_browsers_have(tmp_path):
    """EventSource connects again by itself, with the id of the last event."""
    watch = """url => {
        window.seen = []
        window.source = new EventSource(url + 'events/stream?since=start')
        source.onmessage = one => window.seen.push(JSON.parse(one.data)._id)
    }"""
    with running_server(tmp_path) as server, running_browser() as browser:
        server.post("events", [{"event_id": "one"}, {"event_id": "two"}])
        page = browser.new_page()
        page.goto(f"{server.url}docs")
        page.evaluate(watch, server.url)
        wait_until(lambda: page.evaluate("() => window.seen.length") == 2, "the past")
        server.stop()
        server.start()
        server.post("events", [{"event_id": "three"}, {"event_id": "four"}])
        wait_until(lambda: page.evaluate("() => window.seen.length") > 3, "what came later")
        assert page.evaluate("() => window.seen") == ["one", "two", "three", "four"]


@pytest.fixture
def two_servers(tmp_path, mongo_url, mongo_database):
    """Two servers on one database."""
    with contextlib.ExitStack() as running:
        servers = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            settings = {"EVENT_DB_URL": mongo_url, "EVENT_DATABASE_NAME": mongo_database}
            servers.append(ServerProcess(folder, **settings).start())
            running.callback(servers[-1].stop)
        yield servers


@pytest.mark.slow
def test_servers_that_share_a_database_show_the_events_of_both(two_servers):
    one, other = two_servers
    with contextlib.ExitStack() as watching:
        at_one = watching.enter_context(Watcher([one]))
        at_other = watching.enter_context(Watcher([other]))
        wandering = watching.enter_context(Watcher([one, other]))
        with Load(one, 2, "one-", 0.5) as load, Load(other, 2, "other-", 0.5) as other_load:
            for loads in (load, other_load):
                wait_until(lambda loads=loads: len(loads.acknowledged) > 200, "events")
            one.kill()
            gone_on = len(other_load.acknowledged)
            wait_until(lambda: len(other_load.acknowledged) > gone_on + 80, "events of the other")
            one.start()
            again = len(load.acknowledged)
            wait_until(lambda: len(load.acknowledged) > again + 50, "events of the first again")
        acknowledged = {*load.acknowledged, *other_load.acknowledged}
        see_all([at_one, at_other, wandering], acknowledged, LANE_ENDS)
