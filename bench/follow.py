"""Followers of the feed: what they cost those who send, and how soon a new one has caught up."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import http_load
import servers
from busy import fill
from events import bulk_bodies
from following_server import followers
from ingest import PER_REQUEST, check_kept, post
from plan import Plan
from table import Goal, Row, Series

from madsci.common.types.health import FollowerHealth
from madsci.event_manager.feed.follower import Follower
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.model.tables import FOLLOWERS, delete
from madsci.event_manager.stores.sqlite.store import SqliteStore

GROUP = "follow"
_CONNECTIONS = 64
_MAX_SECONDS = 300
_WARMING = 10_000
"""Events after which the processes beside the server are needed, and started."""
_SETTLING = 3.0
"""Seconds in which they start."""
_FOLLOWED = "3 followers and a stream"
_ALONE = "nobody follows"


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    return [*_beside_senders(plan), *_catching_up(plan)]


def _beside_senders(plan: Plan) -> list[Row]:
    templates = http_load.write_templates(plan.folder)
    all_bodies = bulk_bodies(plan.bulk_events + _WARMING, PER_REQUEST)
    warming, bodies = all_bodies[: _WARMING // PER_REQUEST], all_bodies[_WARMING // PER_REQUEST :]
    single = [Series(f"POST /event, {_CONNECTIONS} connections, {_FOLLOWED}", "/s")]
    bulk = [Series(f"POST /events, {PER_REQUEST} per request, {_FOLLOWED}", "events/s")]
    single.append(Series(_ALONE, "/s"))
    bulk.append(Series(_ALONE, "events/s"))
    behind = Series("until the followers have read all, after the last reply", "s")
    sending = Series(f"{plan.bulk_events // 1000} k events are sent", "s")

    def one_by_one(server: servers.Server) -> float:
        http_load.post_events(server.port, 16, 1, plan.max_requests, templates)
        load = http_load.post_events(
            server.port, _CONNECTIONS, plan.load_seconds, plan.max_requests, templates
        )
        return load.per_second

    def in_bulk(server: servers.Server) -> float:
        post(server, warming, 4)
        time.sleep(_SETTLING)
        rate = post(server, bodies, 4)
        check_kept(server, plan.bulk_events + _WARMING)
        return rate

    ways: list[Callable[[Path], contextlib.AbstractContextManager[servers.Server]]]
    ways = [servers.followed, servers.event_manager]
    for repeat in range(plan.repeats):
        for load, series in ((one_by_one, single), (in_bulk, bulk)):
            for at in (0, 1) if repeat % 2 else (1, 0):
                folder = plan.folder / f"follow-{load.__name__}-{at}-{repeat}"
                with ways[at](folder) as server:
                    with _stream(server.port) if at == 0 else contextlib.nullcontext():
                        series[at].samples.append(load(server))
                    if at == 0 and load is in_bulk:
                        sending.samples.append(plan.bulk_events / series[at].samples[-1])
                        behind.samples.append(_seconds_until_all_is_read(server))
    return [
        Row(GROUP, single[0], single[1], Goal(">=", 0.9)),
        Row(GROUP, bulk[0], bulk[1], Goal(">=", 0.9)),
        Row(GROUP, behind, sending, Goal("<=", 1)),
    ]


def _seconds_until_all_is_read(server: servers.Server) -> float:
    begin = time.perf_counter()
    while not _is_at_the_end([FollowerHealth(**one) for one in server.get("/followers")["followers"]]):
        time.sleep(0.01)
        if time.perf_counter() - begin > _MAX_SECONDS:
            raise RuntimeError(f"The followers were not at the end after {_MAX_SECONDS} s.")
    return time.perf_counter() - begin


def _is_at_the_end(standing: Sequence[FollowerHealth]) -> bool:
    return all(one.lag == 0 for one in standing)


@contextlib.contextmanager
def _stream(port: int) -> Iterator[None]:
    """Read all events as they come, in a process beside, for the length of a block."""
    reader = multiprocessing.Process(target=_read, args=(port,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        reader.kill()
        reader.join()


def _read(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        room = bytearray(2**20)
        while connection.recv_into(room):
            pass


def _catching_up(plan: Plan) -> list[Row]:
    size = max(plan.store_sizes)
    folder = plan.folder / "follow"
    folder.mkdir()
    fill(folder, size)
    name = f"has read {size // 1000} k events"
    one = Series(f"a new follower {name}", "events/s")
    three = Series(f"three new followers, each {name}", "events/s")
    for _ in range(plan.repeats):
        one.samples.append(size / _seconds_to_read(folder / "events.db", followers()[:1]))
        three.samples.append(size / _seconds_to_read(folder / "events.db", followers()))
    return [
        Row(GROUP, one, None, Goal(">=", 50_000, on_value=True)),
        Row(GROUP, three, one),
    ]


def _seconds_to_read(path: Path, new: Sequence[Follower]) -> float:
    """Return how long followers take that have read nothing yet."""
    with closing(SqliteStore(path)) as store:
        store.apply([delete(FOLLOWERS, one.name) for one in new])
        running = Followers(store, new)
        begin = time.perf_counter()
        running.start()
        while not _is_at_the_end(running.stats()):
            time.sleep(0.005)
            if time.perf_counter() - begin > _MAX_SECONDS:
                raise RuntimeError(f"The followers were not at the end after {_MAX_SECONDS} s.")
        seconds = time.perf_counter() - begin
        running.close(_MAX_SECONDS)
        return seconds
