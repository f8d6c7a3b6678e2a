"""Questions to stores of different sizes: what a page costs must not depend on what was kept before."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

import apsw
import servers
from events import (
    EVENTS_PER_SAMPLE,
    EVENTS_PER_WORKFLOW,
    NODES,
    RARE_WORD,
    sample_name,
    stored_events,
    workflow_name,
)
from plan import Plan
from table import Goal, Row, Series

from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query, latest
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import OLDEST_FIRST, parse_sort
from madsci.event_manager.model.stored_event import decode_json
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.search.histogram import buckets_between
from madsci.event_manager.stores.sqlite.store import SqliteStore

GROUP = "reads"
_Prepare = Callable[[SqliteStore, int], Callable[[], object]]
_HOUR = 3_600_000_000
_FILL_BATCH = 5000
_CALLS = 100
_MAX_SECONDS = 1.0
_MAX_LOADED = 3_000_000
"""Events that are loaded and matched in Python over all repeats."""

_BUDGET_MS = 300
"""What a person at a screen takes for at once, of counts and histograms."""

_LATEST = "latest 100"
_SECOND = "next 100 "
_CURSOR = "100 from a cursor in the middle"
_PAGES = {
    "of a dense type": {"event_type": "node_status_update"},
    "of every 100th workflow": {
        "event_data.workflow_id": {"$in": [workflow_name(100 * number) for number in range(50)]}
    },
    "of level 10": {"log_level": 10},
}
"""Selections whose second page must not cost more than the first one."""
_SCAN = "event_data.sample = ..., no index"
_LOADED = "load all event_data, match in Python"
_HTTP_LATEST = "GET /events?number=100"
_HTTP_HEALTH = "GET /health"


@dataclass
class _Filled:
    """A store of so many events."""

    size: int
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "events.db"

    @property
    def name(self) -> str:
        return f"{self.size // 1000:,} k" if self.size < 1_000_000 else f"{self.size // 1_000_000} M"


class _Results:
    def __init__(self) -> None:
        self._series: dict[tuple[str, int], Series] = {}

    def note(self, what: str, filled: _Filled, milliseconds: float) -> None:
        series = self._series.setdefault(
            (what, filled.size), Series(f"{what}, {filled.name} stored", "ms")
        )
        series.samples.append(milliseconds)

    def get(self, what: str, size: int) -> Series:
        return self._series[what, size]

    def questions(self) -> list[str]:
        return list(dict.fromkeys(what for what, _ in self._series))


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group."""
    stores = [_Filled(size, plan.folder / f"reads-{size}") for size in plan.store_sizes]
    filling = [Row(GROUP, _fill(filled)) for filled in stores]
    results = _Results()
    with contextlib.ExitStack() as stack:
        opened = [(filled, stack.enter_context(_opened(filled.path))) for filled in stores]
        for repeat in range(plan.repeats):
            for what, prepared in _QUESTIONS.items():
                for filled, store in opened:
                    results.note(what, filled, milliseconds(prepared(store, filled.size)))
            for filled, store in opened:
                _note_scan(results, filled, store, repeat)
    with contextlib.ExitStack() as stack:
        running = [
            (filled, stack.enter_context(servers.event_manager(filled.folder))) for filled in stores
        ]
        for _ in range(plan.repeats):
            for filled, server in running:
                results.note(_HTTP_LATEST, filled, _http(server, "/events?number=100"))
                results.note(_HTTP_HEALTH, filled, _http(server, "/health"))
    return [*filling, *_rows(results, plan.store_sizes)]


def _rows(results: _Results, sizes: tuple[int, ...]) -> list[Row]:
    rows: list[Row] = []
    for what in results.questions():
        if what == _LOADED:
            continue
        for size in sizes:
            anchor, goal = None, None
            if what == _SCAN:
                anchor, goal = results.get(_LOADED, size), Goal("<=", 0.35)
            elif what in _GOALS and size == sizes[-1]:
                goal = Goal("<=", _GOALS[what], on_value=True)
            elif what == _CURSOR:
                anchor, goal = results.get(_LATEST, size), Goal("<=", 2)
            elif what.startswith(_SECOND):
                first = f"{_LATEST} {what.removeprefix(_SECOND)}"
                anchor, goal = results.get(first, size), Goal("<=", 1.5)
            elif size != sizes[0]:
                anchor = results.get(what, sizes[0])
                goal = Goal("<=", 2) if what.startswith(_LATEST) else None
            elif what == _HTTP_LATEST:
                anchor = results.get(_LATEST, size)
            rows.append(Row(GROUP, results.get(what, size), anchor, goal))
    return rows


def _latest(store: SqliteStore, _: int) -> Callable[[], object]:
    return lambda: _page(store, Query(latest()))


def _serious(store: SqliteStore, _: int) -> Callable[[], object]:
    return lambda: _page(store, Query(latest(level=40)))


def _of_node(store: SqliteStore, _: int) -> Callable[[], object]:
    selector = parse_selector({"source.node_id": NODES[7], "archived": False})
    return lambda: _page(store, Query(selector))


def _by_id(store: SqliteStore, size: int) -> Callable[[], object]:
    event_id = _middle(store, size)[1]
    return lambda: store.get(event_id)


def _from_cursor(store: SqliteStore, size: int) -> Callable[[], object]:
    after = _middle(store, size)
    return lambda: _page(store, Query(latest(), after=after))


def _rows_of(selector: dict[str, object], found: int | None = None, **more: object) -> _Prepare:
    """Return a question for a page; ``found`` is how many events it must find."""

    def prepare(store: SqliteStore, _: int) -> Callable[[], object]:
        query = Query(parse_selector(selector), **more)  # type: ignore[arg-type]
        number = len(store.find(query).events)
        if not number or found not in (None, number):
            raise RuntimeError(f"{selector}: found {number} events.")
        return lambda: store.find(query)

    return prepare


def _first_page(selector: dict[str, object]) -> _Prepare:
    return _rows_of({**selector, "archived": False}, 100)


def _second_page(selector: dict[str, object]) -> _Prepare:
    def prepare(store: SqliteStore, _: int) -> Callable[[], object]:
        query = Query(parse_selector({**selector, "archived": False}))
        following = replace(query, after=store.find(query).next_place)
        return lambda: _page(store, following)

    return prepare


def _all_pages(store: SqliteStore, _: int) -> Callable[[], object]:
    query = Query(parse_selector({"event_type": "node_status_update"}), 1_000)

    def read() -> None:
        following = query
        while (place := store.find_json(following).next_place) is not None:
            following = replace(query, after=place)

    return read


def _mapped(store: SqliteStore, size: int) -> Callable[[], object]:
    begin = store.find(Query(sort=OLDEST_FIRST, limit=1)).events[0].event_timestamp
    last = store.find(Query(limit=1)).events[0].event_timestamp
    selector = {
        "log_level": {"$gte": 30},
        "source.node_id": NODES[7],
        "event_timestamp": {"$gte": begin + (last - begin) // 4, "$lt": last - (last - begin) // 4},
    }
    return _rows_of(selector)(store, size)


def _workflow(store: SqliteStore, size: int) -> Callable[[], object]:
    selector: dict[str, object] = {"event_data.workflow_id": workflow_name(size // 2)}
    return _rows_of(selector, EVENTS_PER_WORKFLOW, limit=1_000)(store, size)


def _trace(store: SqliteStore, size: int) -> Callable[[], object]:
    selector: dict[str, object] = {"trace_id": f"{size // 2 // EVENTS_PER_SAMPLE + 1:032x}"}
    return _rows_of(selector, EVENTS_PER_SAMPLE)(store, size)


def _counts(by: str | None, *, hourly: bool = True, **selector: object) -> _Prepare:
    def prepare(store: SqliteStore, size: int) -> Callable[[], object]:
        tree = parse_selector(selector)
        buckets = None
        if hourly:
            begin = store.find(Query(sort=OLDEST_FIRST, limit=1)).events[0].event_timestamp
            last = store.find(Query(limit=1)).events[0].event_timestamp
            buckets = buckets_between(begin, last, _HOUR)
        tally = Tally(tree, None if by is None else GROUPINGS[by], buckets)
        counted = sum(one.count for one in store.tally([tally])[0])
        if counted > size or (counted < size and not selector):
            raise RuntimeError(f"{counted} events were counted, {size} are stored.")
        return lambda: store.tally([tally])

    return prepare


_QUESTIONS: dict[str, _Prepare] = {
    _LATEST: _latest,
    "latest 100 of level >= 40": _serious,
    "latest 100 of one node": _of_node,
    "one event by id": _by_id,
    _CURSOR: _from_cursor,
    "level, node and time": _mapped,
    "words in messages, rare": _rows_of({"$text": {"$search": RARE_WORD}}),
    "words in messages, frequent": _rows_of({"$text": {"$search": "plate"}}),
    "all of one workflow": _workflow,
    "latest 100 of one type": _rows_of({"event_type": "node_status_update"}, 100),
    "all pages of one type": _all_pages,
    **{
        f"{name}{what}": prepare({**selector})
        for what, selector in _PAGES.items()
        for name, prepare in ((f"{_LATEST} ", _first_page), (_SECOND, _second_page))
    },
    "regular expression, finds nothing frequent": _rows_of(
        {"event_data.message": {"$regex": "grip+er (?i:JAMMED)$"}}
    ),
    "slowest 100 (sort by event_data)": _rows_of(
        {"event_data.duration_ms": {"$gt": 1}}, 100, sort=parse_sort("-event_data.duration_ms")
    ),
    "count of level >= 30": _counts(None, hourly=False, log_level={"$gte": 30}),
    "count by event_data": _counts(None, hourly=False, **{"event_data.volume_ul": {"$gt": 100}}),
    "hourly histogram": _counts(None),
    "hourly histogram by level": _counts("level"),
    "hourly histogram by type": _counts("type"),
    "hourly histogram by node": _counts("node"),
    "facet of types": _counts("type", hourly=False),
    "facet of workcells": _counts("workcell", hourly=False),
    "facet of nodes": _counts("node", hourly=False),
    "facet of workflows": _counts("workflow", hourly=False),
    "facet of types, not archived": _counts("type", hourly=False, archived=False),
    "count of a frequent word": _counts(
        None, hourly=False, **{"$text": {"$search": "plate"}, "archived": False}
    ),
    "regular expression that requires a text": _counts(
        None, hourly=False, **{"event_data.message": {"$regex": "grip+er (?i:JAMMED)$"}}
    ),
    "all of one trace": _trace,
    "alerts": lambda store, _: lambda: store.find(Query(parse_selector({"alert": True}))),
}
_GOALS = {
    _LATEST: 2,
    "level, node and time": 5,
    "words in messages, rare": 20,
    "count of level >= 30": _BUDGET_MS,
    "hourly histogram": _BUDGET_MS,
    "hourly histogram by level": _BUDGET_MS,
    "hourly histogram by type": _BUDGET_MS,
    "hourly histogram by node": _BUDGET_MS,
    "facet of nodes": 60,
    "facet of types": 200,
    "facet of workflows": 200,
    "count of a frequent word": 20,
    "regular expression that requires a text": 300,
    "all of one trace": 3,
    "alerts": 3,
    _HTTP_HEALTH: 2,
}
"""Milliseconds at the largest store."""


def _middle(store: SqliteStore, size: int) -> tuple[int, str]:
    sample = {"event_data.sample": sample_name(size // 2)}
    return store.find(Query(parse_selector(sample), limit=1)).events[0].order


def _page(store: SqliteStore, query: Query) -> None:
    found = len(store.find(query).events)
    if found != query.limit:
        raise RuntimeError(f"{found} events came where {query.limit} were expected.")


def _note_scan(results: _Results, filled: _Filled, store: SqliteStore, repeat: int) -> None:
    selector = parse_selector({"event_data.sample": sample_name(filled.size // 2)})

    def scan() -> int:
        return len(store.find(Query(selector)).events)

    def load() -> int:
        connection = apsw.Connection(str(filled.path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            rows = connection.execute("SELECT json(event_data) FROM events")
            return sum(matches(selector, {"event_data": decode_json(text)}) for (text,) in rows)
        finally:
            connection.close()

    for what, find in ((_SCAN, scan), (_LOADED, load)):
        if what == _LOADED and filled.size * (repeat + 1) > _MAX_LOADED:
            return
        begin = time.perf_counter()
        found = find()
        results.note(what, filled, (time.perf_counter() - begin) * 1000)
        if found != EVENTS_PER_SAMPLE:
            raise RuntimeError(f"{what}: found {found} events instead of {EVENTS_PER_SAMPLE}.")


def milliseconds(call: Callable[[], object]) -> float:
    """Return the median time of a call, after one that fills the caches."""
    call()
    times: list[float] = []
    deadline = time.perf_counter() + _MAX_SECONDS
    while len(times) < _CALLS and (not times or time.perf_counter() < deadline):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return median(times) * 1000


def _http(server: servers.Server, path: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def call() -> None:
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        if reply.status != 200:
            raise RuntimeError(f"GET {path} was answered with {reply.status}.")

    try:
        return milliseconds(call)
    finally:
        connection.close()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[SqliteStore]:
    path.parent.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(path, integrity_seconds=0)
    try:
        yield store
    finally:
        store.close()


def _fill(filled: _Filled) -> Series:
    """Fill a store; return how fast it took the events, reading them not counted."""
    events = stored_events(filled.size)
    seconds = 0.0
    with _opened(filled.path) as store:
        while batch := list(islice(events, _FILL_BATCH)):
            begin = time.perf_counter()
            store.append(batch)
            seconds += time.perf_counter() - begin
    return Series(f"filling to {filled.name} in batches of 5000", "events/s", [filled.size / seconds])
