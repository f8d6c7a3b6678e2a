"""Who watches events sees the past, then what comes: nothing twice, and nothing left out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from madsci.common.errors import (
    InvalidInputError,
    OverloadedError,
    QueryTimeoutError,
    StoreUnavailableError,
)
from madsci.event_manager.export.frames import JsonLines
from madsci.event_manager.feed import live as live_module
from madsci.event_manager.feed import watching as watching_module
from madsci.event_manager.feed.live import Live
from madsci.event_manager.feed.watcher import MOST_BYTES
from madsci.event_manager.feed.watching import From, Last, Watching
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.selector import EVERYTHING, Compare
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.ulid_sources import AS_STORED
from madsci.event_manager.search.following import Part, PastJob
from madsci.event_manager.search.service import Search
from madsci.event_manager.stores.memory import MemoryStore
from support.server import PATIENCE

LINES = JsonLines(AS_STORED)
ANY_LEVEL = Compare(("log_level",), "$gte", 0)


class Lab:
    """A store that is watched; ``append`` is for any thread."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.search = Search(store, seconds=PATIENCE)
        self.live = Live(store, self._read_beside)
        self._read: list[PastJob] = []
        self._failing: list[Exception | None] = []
        self.watching = Watching(store, self.live, self.search.answer)

    def _read_beside(self, job: PastJob) -> Part:
        self._read.append(job)
        if self._failing and (error := self._failing.pop(0)) is not None:
            raise error
        return self.search.ask_beside(job)

    def count_reading_beside(self) -> list[PastJob]:
        """Return the list of what is read beside."""
        return self._read

    def fail_beside(self, failing: list[Exception | None]) -> None:
        """Have the next readings beside fail, or not."""
        self._failing = failing

    def append(self, *ids: str, data: str = "{}", level: int = 20, alert: bool = False) -> None:
        self.store.append([StoredEvent(one, "log_info", level, alert, 0, 0, {}, data) for one in ids])
        self.live.wake()


def with_lab(test: Callable[[Lab], Awaitable[None]], store: MemoryStore | None = None) -> None:
    """Run a test on an event loop."""

    async def run() -> None:
        async with opened(Lab(store or MemoryStore())) as lab:
            await asyncio.wait_for(test(lab), PATIENCE)

    asyncio.run(run())


@asynccontextmanager
async def opened(lab: Lab):
    lab.live.start()
    try:
        yield lab
    finally:
        lab.watching.end("over")
        # Beside the loop, on which the thread may be waiting for a step.
        assert await asyncio.to_thread(lab.live.close, PATIENCE)
        lab.search.close()


async def open_watch(lab, beginning=None, selector=EVERYTHING, *, follow=True):
    watch = await lab.watching.open(selector, LINES, beginning, follow=follow)
    return lines_of(watch.chunks())


async def lines_of(chunks):
    async with aclosing(chunks):
        async for chunk in chunks:
            for line in chunk.splitlines():
                yield json.loads(line)


async def take(lines, number):
    """The ids of the next events."""
    found = []
    while len(found) < number:
        line = await anext(lines)
        assert "end" not in line, line
        if "event" in line:
            found.append(line["event"]["_id"])
    return found


async def live_from_now_on(lines):
    while not (await anext(lines)).get("is_live"):
        pass


def names(first, last):
    return [f"e{number}" for number in range(first, last)]


def test_what_comes_is_shown_from_now_on():
    async def test(lab):
        lab.append("before")
        lines = await open_watch(lab)
        lab.append("one", "two")
        assert await take(lines, 2) == ["one", "two"]
        lab.append("three")
        assert await take(lines, 1) == ["three"]

    with_lab(test)


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (START, names(0, 50)),
        (Last(3), names(47, 50)),
        (Last(1_000), names(0, 50)),
        (From(0), names(0, 50)),
        (From(1), []),
    ],
)
def test_the_past_comes_first(beginning, expected):
    async def test(lab):
        lab.append(*names(0, 50))
        lines = await open_watch(lab, beginning)
        assert await take(lines, len(expected)) == expected
        await live_from_now_on(lines)
        lab.append("new")
        assert await take(lines, 1) == ["new"]

    with_lab(test)


def test_a_long_past_and_what_comes_meanwhile_are_seen_once_and_in_order():
    async def test(lab):
        lab.append(*names(0, 5_000))
        lines = await open_watch(lab, START)
        sender = threading.Thread(
            target=lambda: [lab.append(*names(at, at + 10)) for at in range(5_000, 9_000, 10)]
        )
        sender.start()
        assert await take(lines, 9_000) == names(0, 9_000)
        sender.join()

    with_lab(test)


def test_any_position_that_came_with_an_event_is_one_to_go_on_from():
    async def test(lab):
        lab.append(*names(0, 20))
        positions = [
            line["position"]
            async for line in await open_watch(lab, START, follow=False)
            if "event" in line
        ]
        for number, position in enumerate(positions, 1):
            lines = await open_watch(lab, Position.parse(position), follow=False)
            found = [line["event"]["_id"] async for line in lines if "event" in line]
            assert found == names(number, 20)

    with_lab(test)


def test_only_what_matches_is_shown_of_the_past_and_of_what_comes():
    async def test(lab):
        errors = parse_selector({"log_level": {"$gte": "error"}})
        lab.append("calm")
        lab.append("bad", level=40)
        lines = await open_watch(lab, START, errors)
        assert await take(lines, 1) == ["bad"]
        await live_from_now_on(lines)
        lab.append("calm again")
        lab.append("worse", level=50)
        assert await take(lines, 1) == ["worse"]

    with_lab(test)


def test_an_event_comes_again_when_an_alert_is_raised_on_it():
    async def test(lab):
        lab.append("one")
        lines = await open_watch(lab, None, parse_selector({"alert": True}))
        await live_from_now_on(lines)
        lab.append("two")
        lab.append("one", alert=True)
        assert await take(lines, 1) == ["one"]

    with_lab(test)


def test_what_was_deleted_before_it_was_read_is_counted():
    async def test(lab):
        lab.append(*names(0, 4))
        lab.store.archive(["e1", "e2"], 1)
        lab.store.delete(["e1", "e2"])
        lines = [line async for line in await open_watch(lab, START, follow=False)]
        assert [line["event"]["_id"] for line in lines if "event" in line] == ["e0", "e3"]
        assert sum(line.get("missed", 0) for line in lines) == 2

    with_lab(test)


@pytest.mark.slow
def test_a_slow_reader_is_shown_the_rest_at_his_pace_and_holds_up_nobody():
    large = json.dumps("x" * (MOST_BYTES // 10))

    async def test(lab):
        slow, quick = await open_watch(lab), await open_watch(lab)
        await live_from_now_on(slow)
        await live_from_now_on(quick)
        for number in range(60):
            lab.append(f"e{number}", data=large)
            assert await take(quick, 1) == [f"e{number}"]
        assert await take(slow, 60) == names(0, 60)
        await live_from_now_on(slow)
        lab.append("new")
        assert await take(slow, 1) == await take(quick, 1) == ["new"]

    with_lab(test)


def test_what_pours_in_is_read_beside_and_seen_once_and_in_order(monkeypatch):
    monkeypatch.setattr(live_module, "_POURS", 10)

    async def test(lab):
        beside = lab.count_reading_beside()
        alarms = Compare(("log_level",), "$gte", 40)
        everything, serious = await open_watch(lab), await open_watch(lab, selector=alarms)
        await live_from_now_on(everything)
        await live_from_now_on(serious)
        for number in range(0, 5_000, 100):
            lab.append(*names(number, number + 99))
            lab.append(f"e{number + 99}", level=50)
        assert await take(everything, 5_000) == names(0, 5_000)
        assert await take(serious, 50) == [f"e{number}" for number in range(99, 5_000, 100)]
        assert beside
        lab.append("after", level=40)
        assert await take(everything, 1) == await take(serious, 1) == ["after"]

    with_lab(test)


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("It is away."), QueryTimeoutError("Late."), ZeroDivisionError()]
)
def test_where_what_pours_in_cannot_be_read_each_reads_on_from_where_he_is(monkeypatch, error):
    monkeypatch.setattr(live_module, "_POURS", 10)

    async def test(lab):
        lab.fail_beside([None, error])  # some have been shown by then what others have not
        watching = [await open_watch(lab, selector=one) for one in (EVERYTHING, ANY_LEVEL)]
        for lines in watching:
            await live_from_now_on(lines)
        lab.append(*names(0, 500))
        for lines in watching:
            assert await take(lines, 500) == names(0, 500)
            await live_from_now_on(lines)
        lab.append("after")
        assert [await take(lines, 1) for lines in watching] == [["after"], ["after"]]

    with_lab(test)


def test_a_position_of_another_store_is_refused_before_anything_is_sent():
    async def test(lab):
        for follow in (True,):
            with pytest.raises(InvalidInputError, match="is not one of this event store"):
                await lab.watching.open(
                    EVERYTHING, LINES, Position.of([("0123456789ab", 5)]), follow=follow
                )
        assert len(lab.watching) == 0

    with_lab(test)


def test_at_the_end_of_the_server_each_is_told_where_to_go_on():
    async def test(lab):
        lab.append("one")
        lines = await open_watch(lab, START)
        assert await take(lines, 1) == ["one"]
        await live_from_now_on(lines)
        lab.watching.end("The server stops.")
        last = [line async for line in lines][-1]
        assert last == {"position": str(lab.store.head()), "end": "The server stops."}
        with pytest.raises(OverloadedError, match="stopping"):
            await open_watch(lab)

    with_lab(test)


def test_there_are_only_so_many_streams(monkeypatch):
    monkeypatch.setattr(watching_module, "MOST_WATCHERS", 2)

    async def test(lab):
        watches = [await lab.watching.open(EVERYTHING, LINES, None) for _ in range(2)]
        with pytest.raises(OverloadedError, match="2 streams"):
            await lab.watching.open(EVERYTHING, LINES, None)
        watches[0].close()
        await lab.watching.open(EVERYTHING, LINES, None)

    with_lab(test)


class AwayForAWhile(MemoryStore):
    """A store whose feed cannot be read for some calls."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.refusals = 0
        self._error = error

    def since(self, *arguments, **named):
        if self.refusals:
            self.refusals -= 1
            raise self._error
        return super().since(*arguments, **named)


@pytest.mark.slow
def test_a_store_that_is_away_for_a_while_ends_no_stream():
    store = AwayForAWhile(StoreUnavailableError("The store is away."))

    async def test(lab):
        past, live = await open_watch(lab, From(0)), await open_watch(lab)
        await live_from_now_on(live)
        store.refusals = 3
        lab.append("one")
        assert await take(live, 1) == await take(past, 1) == ["one"]

    with_lab(test, store)


def test_a_mistake_of_ours_ends_no_stream(caplog):
    store = AwayForAWhile(ZeroDivisionError("a mistake"))

    async def test(lab):
        lines = await open_watch(lab)
        await live_from_now_on(lines)
        store.refusals = 1
        lab.append("one")
        assert await take(lines, 1) == ["one"]

    with_lab(test, store)
    assert "shown nothing new: ZeroDivisionError('a mistake')" in caplog.text


def test_a_database_that_is_another_one_now_ends_the_stream_and_says_so():
    async def test(lab):
        lab.append(*names(0, 3))
        lines = await open_watch(lab, From(0))
        await anext(lines)
        lab.store._log.clear()
        lab.store._lane = "another"
        *_, last = [line async for line in lines]
        assert "is not one of this event store" in last["end"]

    with_lab(test)


def test_nobody_costs_the_feed_nothing():
    """While nobody watches, nothing is read, and a commit wakes nobody."""
    reads = []

    class Counted(MemoryStore):
        def since(self, *arguments, **named):
            reads.append(arguments)
            return super().since(*arguments, **named)

    async def test(lab):
        watch = await lab.watching.open(EVERYTHING, LINES, None)
        watch.close()
        other = await lab.watching.open(EVERYTHING, LINES, None)  # so the first is forgotten
        other.close()
        await asyncio.sleep(0)
        before = len(reads)
        lab.append(*names(0, 10))
        lines = await open_watch(lab)
        lab.append("one")
        assert await take(lines, 1) == ["one"]
        assert len(reads) - before <= 3

    with_lab(test, Counted())
