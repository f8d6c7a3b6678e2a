"""The MongoDB store: a thousand events at a time, beside pymongo alone on the same database server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import servers
from events import bulk_bodies, stored_events
from ingest import PER_REQUEST, check_kept, post
from plan import Plan
from pymongo import MongoClient
from table import Goal, Row, Series

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.mongo.codec import to_document
from madsci.event_manager.stores.mongo.connection import DURABLE
from madsci.event_manager.stores.mongo.store import MongoStore
from support import mongo_servers

GROUP = "mongo"
_SENDERS = (2, 4)


def what_is_missing() -> str:
    """Return how to get a database server for this group; nothing when there is one."""
    if not os.environ.get("TEST_MONGODB_URL"):
        try:
            mongo_servers.ferretdb_program()
        except mongo_servers.NoServerError as error:
            return str(error).replace("This test needs", "The group mongo needs")
    return ""


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    folder = plan.folder / "mongo"
    folder.mkdir()
    size = plan.bulk_events // 2
    bodies = bulk_bodies(size, PER_REQUEST)
    events = list(stored_events(size))
    with _database_server(folder) as (url, kind):
        bare = Series(f"pymongo insert_many, {PER_REQUEST} documents, {kind}", "events/s")
        store = Series(f"MongoStore.append, {PER_REQUEST} events", "events/s")
        sent = {
            senders: Series(f"POST /events, {PER_REQUEST} per request, {senders} senders", "events/s")
            for senders in _SENDERS
        }
        names = (f"bench_{os.getpid()}_{number}" for number in count())
        for repeat in range(plan.repeats):
            steps: list[Callable[[], None]] = [
                lambda: bare.samples.append(_bare(url, next(names), events)),
                lambda: store.samples.append(_append(url, next(names), events)),
                *(
                    lambda senders=senders, series=series, place=folder / f"{repeat}-{senders}": (
                        series.samples.append(_post(url, next(names), place, bodies, senders))
                    )
                    for senders, series in sent.items()
                ),
            ]
            # Another one begins each time: the first finds the server at rest.
            for turn in range(len(steps)):
                steps[(turn + repeat) % len(steps)]()
    return [
        Row(GROUP, store, bare, Goal(">=", 0.5)),
        *(Row(GROUP, series, bare, Goal(">=", 0.5)) for series in sent.values()),
    ]


@contextmanager
def _database_server(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the URL of the server that TEST_MONGODB_URL names, else of a test server, and its kind."""
    if given := os.environ.get("TEST_MONGODB_URL"):
        yield given, _kind(given)
        return
    with mongo_servers.running_ferretdb(folder) as server:
        yield server.url, _kind(server.url)


def _kind(url: str) -> str:
    with MongoClient(url) as client:
        build = client.admin.command("buildInfo")
    # Its "version" is that of the MongoDB that it imitates.
    if "ferretdbVersion" in build:
        return f"FerretDB {build['ferretdbVersion']}".removesuffix(" unknown")
    return f"MongoDB {build['version']}"


def _bare(url: str, name: str, events: Sequence[StoredEvent]) -> float:
    """Insert the same documents without a store; return events per second."""
    documents = [to_document(event) for event in events]
    with _dropped(url, name) as client:
        collection = client[name].get_collection("events", write_concern=DURABLE)
        begin = time.perf_counter()
        for start in range(0, len(documents), PER_REQUEST):
            collection.insert_many(documents[start : start + PER_REQUEST], ordered=False)
        return len(documents) / (time.perf_counter() - begin)


def _append(url: str, name: str, events: Sequence[StoredEvent]) -> float:
    with _dropped(url, name), closing(MongoStore(url, database=name)) as store:
        begin = time.perf_counter()
        for start in range(0, len(events), PER_REQUEST):
            store.append(events[start : start + PER_REQUEST])
        return len(events) / (time.perf_counter() - begin)


def _post(url: str, name: str, folder: Path, bodies: Sequence[bytes], senders: int) -> float:
    with (
        _dropped(url, name),
        servers.event_manager(folder, EVENT_DB_URL=url, EVENT_DATABASE_NAME=name) as server,
    ):
        rate = post(server, bodies, senders)
        check_kept(server, len(bodies) * PER_REQUEST)
        return rate


@contextmanager
def _dropped(url: str, name: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """Drop the database at the end, so that all begin with an empty one."""
    with MongoClient(url) as client:
        try:
            yield client
        finally:
            client.drop_database(name)
