"""Utilization reports of a lab of seventy days, beside a plain run over its events, and their cost."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path

import servers
from busy import carried, note, paced
from events import START, encoded_events, ulid
from plan import Plan
from table import Goal, Row, Series

from madsci.common.clock import to_us
from madsci.event_manager.analytics.answering import ReportJob
from madsci.event_manager.analytics.asked import DAY, Asked, Form, Kind
from madsci.event_manager.analytics.coded_runs import columns
from madsci.event_manager.analytics.documents import document_of, written
from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.follower import UtilizationFollower
from madsci.event_manager.analytics.known import learned, nodes_in
from madsci.event_manager.analytics.marking import mark_of
from madsci.event_manager.analytics.marks import Mark, Thing
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.spans import HOUR
from madsci.event_manager.analytics.timelines import Timelines
from madsci.event_manager.feed.course import Course
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.feed import START as BEGINNING
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.factory import open_reader
from madsci.event_manager.stores.sqlite.store import SqliteStore

GROUP = "reports"
_processes = multiprocessing.get_context("fork")
_NODES = 20
_ACTIONS_OF_A_WORKFLOW, _ACTIONS_OF_AN_EXPERIMENT = 10, 2_000
_BETWEEN = timedelta(seconds=12.096)
"""From one action to the next: half a million of them are seventy days."""
_BATCH = 5_000
_BUDGET = 600.0
"""Seconds that a report may take."""
_WHOLE = (
    ("sessions", Kind.SESSIONS, Form.JSON, Length.DAILY),
    ("periods by hours", Kind.PERIODS, Form.JSON, Length.HOURLY),
    ("periods by days", Kind.PERIODS, Form.JSON, Length.DAILY),
    ("periods by months", Kind.PERIODS, Form.JSON, Length.MONTHLY),
    ("people", Kind.USERS, Form.JSON, Length.DAILY),
    ("figures of the lab, JSON", Kind.LAB, Form.JSON, Length.DAILY),
    ("figures of the lab, CSV", Kind.LAB, Form.CSV, Length.DAILY),
    ("figures of the lab, methods", Kind.LAB, Form.METHODS, Length.DAILY),
)
_SHARE = 0.4
"""Of what the machine carries, as ``large`` has it."""
_PATHS = ("/utilization/sessions", "/utilization/periods", "/utilization/users", "/metrics/lab")


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this group; events of actions are counted, two of each."""
    size = max(plan.store_sizes)
    large, small = plan.folder / "reports", plan.folder / "reports-tenth"
    catching_up = _filled_and_followed(large, size)
    _filled_and_followed(small, size // 10)
    return [
        *catching_up,
        *_whole(plan, large, size),
        _days(plan, large, small, size),
        *_served(plan, large, size),
    ]


def _filled_and_followed(folder: Path, size: int) -> list[Row]:
    """Make a store, and have its feed read and folded; return how quick that was."""
    name = f"by a second of its thread, {size // 1000} k events of actions"
    reading = Series(f"a new follower of the lab reads, {name}", "events/s")
    folding = Series(f"it folds what they said, {name}", "events/s")
    folder.mkdir()
    with closing(SqliteStore(folder / "events.db", integrity_seconds=0)) as store:
        events, count = lab_events(size), 0
        while batch := list(islice(events, _BATCH)):
            store.append(batch)
            count += len(batch)
        course = Course(UtilizationFollower(), store)
        begin = time.thread_time()
        while course.advance():
            pass
        middle = time.thread_time()
        while course.advance() or (course.rest() or 0.0) < 1.0:  # then it has nothing to do
            if course.failure is not None:
                raise RuntimeError(course.failure.reason)
        reading.samples.append(count / (middle - begin))
        folding.samples.append(count / (time.thread_time() - middle))
    goal = Goal(">=", 50_000, on_value=True)
    return [Row(GROUP, reading, None, goal), Row(GROUP, folding, None, goal)]


def lab_events(size: int) -> Iterator[StoredEvent]:
    """Yield so many events of actions, and those of what they belong to."""
    chance, count = random.Random(1), 0
    nodes = [ulid(START, number) for number in range(_NODES)]
    cell, campaign = ulid(START, _NODES), ulid(START, _NODES + 1)

    def event(at: int, kind: str, source: dict[str, str], data: dict[str, str]) -> StoredEvent:
        nonlocal count
        count += 1
        id_ = ulid(START, 10_000 + count)
        return StoredEvent(id_, kind, 20, False, at, at, source, encode_json(data))

    at = to_us(START)
    yield event(at, "workcell_start", {"workcell_id": cell}, {"workcell_name": "Cell"})
    for number, node in enumerate(nodes):
        source = {"node_id": node, "workcell_id": cell}
        yield event(at + 1, "node_start", source, {"node_name": f"node {number}"})
    experiment = workflow = {"": ""}
    for number in range(size // 2):
        at += _BETWEEN // timedelta(microseconds=1)
        user = f"user {number // _ACTIONS_OF_A_WORKFLOW % 8}"
        if number % _ACTIONS_OF_AN_EXPERIMENT == 0:
            if number:
                yield event(at - 3, "experiment_complete", experiment, {})
            experiment = {"experiment_id": f"experiment {number}", "campaign_id": campaign}
            yield event(at - 2, "experiment_start", experiment, {"experiment_name": f"E{number}"})
        if number % _ACTIONS_OF_A_WORKFLOW == 0:
            if number:
                yield event(at - 2, "workflow_complete", workflow, {"status": "completed"})
            workflow = {**experiment, "workflow_id": ulid(START, 10**9 + number)}
            yield event(at - 1, "workflow_start", workflow, {"name": "Flow", "author": user})
        source = {**workflow, "node_id": nodes[number % _NODES], "workcell_id": cell, "user_id": user}
        data = {"action_id": ulid(START, 2 * 10**9 + number), "action_name": f"act {number % 7}"}
        taken = chance.uniform(0.2, 0.9) * _NODES * _BETWEEN
        yield event(at, "action_start", source, data)
        failed = "action_failed" if number % 50 == 0 else "action_complete"
        yield event(at + taken // timedelta(microseconds=1), failed, source, data)


def _asked(
    kind: Kind, form: Form, length: Length, size: int, window: tuple[int, int] | None = None
) -> Asked:
    begin = to_us(START)
    end = begin + _life(size) + HOUR
    return Asked(kind, form, window or (begin, end), end, length)


def _life(size: int) -> int:
    """Return for how many microseconds a lab of so many events works."""
    return size // 2 * (_BETWEEN // timedelta(microseconds=1))


def _report(folder: Path, asked: Asked) -> float:
    """Return the seconds of this process that a report takes."""
    reader = open_reader(f"sqlite:///{folder}/events.db", lambda _: None)
    begin = time.process_time()
    ReportJob(asked).run(reader, Budget(_BUDGET))
    return time.process_time() - begin


def _whole(plan: Plan, folder: Path, size: int) -> list[Row]:
    """Reports of all time, each beside itself made of the events as they are."""
    made = [Series(f"{name}, {size // 1000} k events of actions", "s") for name, *_ in _WHOLE]
    plain = [Series("from the events, one after the other", "s") for _ in _WHOLE]
    for repeat in range(plan.repeats):
        for series, (_, kind, form, length) in zip(made, _WHOLE, strict=True):
            series.samples.append(_report(folder, _asked(kind, form, length, size)))
        if repeat == 0:  # once is enough of what takes a minute
            begin = time.process_time()
            picture = _plain_picture(folder, _asked(Kind.LAB, Form.JSON, Length.DAILY, size))
            pictured = time.process_time() - begin
            for series, (_, kind, form, length) in zip(plain, _WHOLE, strict=True):
                asked = _asked(kind, form, length, size)
                begin = time.process_time()
                written(document_of(Timelines(picture), asked), asked)
                series.samples.append(pictured + time.process_time() - begin)
    for series in plain:
        series.samples *= plan.repeats
    pairs = list(zip(made, plain, strict=True))
    goal = Goal("<=", 2, on_value=True)
    return [
        *(Row(GROUP, one, other, Goal("<=", 0.25)) for one, other in pairs),
        *(Row(GROUP, one, None, goal) for one in made),
    ]


def _plain_picture(folder: Path, asked: Asked) -> Picture:
    """Return what a report is made of, from all events, hour by hour."""
    reader = open_reader(f"sqlite:///{folder}/events.db", lambda _: None)
    by_hour: dict[int, list[Mark]] = {}
    nodes: str | None = None
    position, has_more = BEGINNING, True
    while has_more:
        part = reader.since(position, _BATCH)
        marks = [one for entry in part.entries if (one := mark_of(entry.event, {})) is not None]
        for mark in marks:
            by_hour.setdefault(mark.at // HOUR, []).append(mark)
        nodes = learned(nodes, marks) or nodes
        position, has_more = part.next, part.has_more
    state, runs = State(), list[Run]()
    for hour in sorted(by_hour):
        fold = Fold(state, hour * HOUR, {})
        for mark in in_order(by_hour[hour]):
            fold.take(mark)
        state = fold.ended((hour + 1) * HOUR)
        runs += fold.runs
    parts: dict[Thing, list] = {}  # type: ignore[type-arg]
    for one in columns([*runs, *state.unfinished()]):
        parts.setdefault(one.thing, []).append(one)
    return Picture(asked.window or (0, 1), parts, None, None, nodes_in(nodes))


def _days(plan: Plan, large: Path, small: Path, size: int) -> Row:
    """The reports of one day in a store, and in one of a tenth."""
    beside = Series(f"reports of a day together, {size // 1000} k events of actions", "s")
    alone = Series("in a store of a tenth", "s")
    life = _life(size // 10)  # a day of it, or less of a quick run
    begin = to_us(START) + life // 4
    day = begin, begin + min(DAY, life // 2)
    for repeat in range(2 * plan.repeats + 1):
        for series, folder in ((beside, large), (alone, small)):
            spent = sum(_report(folder, _asked(*one[1:], size, day)) for one in _WHOLE)
            if repeat:  # the first one reads the file
                series.samples.append(spent)
    return Row(GROUP, beside, alone, Goal("<=", 1.2))


def _served(plan: Plan, folder: Path, size: int) -> list[Row]:
    """The same report again from a real server, and senders while others ask for new ones."""
    again = Series(f"the same report again, {size // 1000} k events of actions", "ms")
    alone = [Series("alone, p50", "ms"), Series("alone, p99", "ms")]
    beside = [Series("beside reports, p50", "ms"), Series("beside reports, p99", "ms")]
    bodies = list(encoded_events(20_000, seed=2))
    with servers.event_manager(folder) as server:
        _settled(server)
        again.samples += [_milliseconds_again(server.port) for _ in range(2 * plan.repeats + 1)]
        carried(server.port, bodies, "first")
        pace = int(_SHARE * carried(server.port, bodies, "then"))
        for repeat in range(plan.repeats):
            _settled(server)
            note(alone, paced(server.port, bodies, plan.load_seconds, f"r{repeat}", pace))
            with _asking(server.port):
                note(beside, paced(server.port, bodies, plan.load_seconds, f"s{repeat}", pace))
    return [
        Row(GROUP, again, None, Goal("<=", 100, on_value=True)),
        Row(GROUP, beside[0], alone[0]),
        Row(GROUP, beside[1], alone[1], Goal("<=", 2)),
    ]


def _milliseconds_again(port: int) -> float:
    """Return how long the second of two equal reports takes, while nothing new comes."""
    _get(port, _PATHS[3] + _days_of(1, 2))
    begin = time.perf_counter()
    _get(port, _PATHS[3] + _days_of(1, 2))
    return (time.perf_counter() - begin) * 1000


def _settled(server: servers.Server) -> None:
    """Wait until the followers of a server have read all."""
    while any(one["lag"] for one in server.get("/followers")["followers"]):
        time.sleep(0.5)


def _days_of(first: int, beyond: int) -> str:
    begin, end = (f"{START + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in (first, beyond))
    return f"?start_time={begin}&end_time={end}"


def _get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise RuntimeError(f"GET {path} was answered with {body[:200]!r}.")


@contextlib.contextmanager
def _asking(port: int) -> Iterator[None]:
    """Ask for one report after the other, each of another time, for the length of a block."""
    asker = _processes.Process(target=_ask, args=(port, _PATHS), daemon=True)
    asker.start()
    try:
        yield
    finally:
        asker.terminate()
        asker.join()


def _ask(port: int, paths: Sequence[str]) -> None:
    while True:
        for beyond in range(2, 1_000):
            for path in paths:
                _get(port, path + _days_of(0, beyond % 60 + 1))
