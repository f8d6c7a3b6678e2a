"""Group commit: every request learns the fate of its own events, whatever befalls its neighbours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from madsci.common.errors import OverloadedError, StoreError, StoreUnavailableError
from madsci.event_manager.ingest.writer import MAX_BATCH, Writer, WriterStats
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import AppendOutcome, Disposition
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until

Result = TypeVar("Result")


def event(event_id: object, *, alert: bool = False) -> StoredEvent:
    return StoredEvent(str(event_id), "log", 20, alert, 0, 1, {}, "{}")


def crowd(name: str, size: int) -> list[StoredEvent]:
    return [event(f"{name}-{number}") for number in range(size)]


class Recording(MemoryStore):
    """Notes what comes in each append. ``spoil`` may raise in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []
        self.spoil: Callable[[list[str]], None] = lambda _: None

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        ids = [event.event_id for event in events]
        self.calls.append(ids)
        self.spoil(ids)
        return super().append(events)

    @property
    def sizes(self) -> list[int]:
        return [len(ids) for ids in self.calls]


class Gated(Recording):
    """Holds every append until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.release = threading.Event()

    def append(self, events: Sequence[StoredEvent]) -> list[AppendOutcome]:
        self.entered.set()
        assert self.release.wait(30)
        return super().append(events)


def drive(
    store: MemoryStore, scenario: Callable[[Writer], Awaitable[Result]], max_events: int = 100_000
) -> Result:
    """Run a scenario with a writer that is started before and closed behind it."""

    async def main() -> Result:
        writer = Writer(store, max_events=max_events)
        writer.start()
        try:
            return await scenario(writer)
        finally:
            if isinstance(store, Gated):
                store.release.set()
            writer.refuse()
            assert await asyncio.to_thread(writer.close, 30)

    return asyncio.run(main())


async def turns(count: int = 5) -> None:
    """Let the loop do what is scheduled."""
    for _ in range(count):
        await asyncio.sleep(0)


async def hold(store: Gated, writer: Writer, events: Sequence[StoredEvent]) -> asyncio.Task:
    """Submit events and return once the store is busy with them."""
    task = asyncio.create_task(writer.write(events))
    assert await asyncio.to_thread(store.entered.wait, 30)
    return task


async def submit(writer: Writer, *submissions: Sequence[StoredEvent]) -> list[asyncio.Task]:
    """Submit each in a request of its own, all of which wait when this returns."""
    tasks = [asyncio.create_task(writer.write(events)) for events in submissions]
    await turns()
    return tasks


def ids_of(outcomes: list[AppendOutcome]) -> list[str]:
    return [outcome.event.event_id for outcome in outcomes]


def failing(error: Exception, event_id: str = "poison") -> Callable[[list[str]], None]:
    def spoil(ids: list[str]) -> None:
        if event_id in ids:
            raise error

    return spoil


# -- Outcomes --------------------------------------------------------------------------------------


def test_outcomes_come_in_the_order_of_the_events():
    async def scenario(writer: Writer):
        await writer.write([event("b")])
        return await writer.write([event("c"), event("b", alert=True), event("a"), event("a")])

    outcomes = drive(MemoryStore(), scenario)
    assert ids_of(outcomes) == ["c", "b", "a", "a"]
    assert [outcome.disposition for outcome in outcomes] == [
        Disposition.STORED, Disposition.ALERT_RAISED, Disposition.STORED, Disposition.DUPLICATE,
    ]  # fmt: skip


def test_every_request_gets_the_outcomes_of_its_own_events():
    async def scenario(writer: Writer):
        return await asyncio.gather(*(writer.write(crowd(str(n), n)) for n in range(20)))

    for number, outcomes in enumerate(drive(Recording(), scenario)):
        assert ids_of(outcomes) == [f"{number}-{n}" for n in range(number)]


def test_no_events_are_written_without_asking_the_store():
    store = Recording()
    assert drive(store, lambda writer: writer.write([])) == []
    assert store.calls == []


def test_events_are_stored_when_their_request_is_answered():
    store = MemoryStore()

    async def scenario(writer: Writer):
        for number in range(50):
            await writer.write([event(number)])
            assert store.get(str(number)) is not None

    drive(store, scenario)


# -- Batches ---------------------------------------------------------------------------------------


def test_everything_that_comes_during_an_append_goes_into_the_next_one():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        others = await submit(writer, *([event(n)] for n in range(20)))
        more = await submit(writer, crowd("more", 3))
        assert store.calls == []
        store.release.set()
        await asyncio.gather(first, *others, *more)

    drive(store, scenario)
    assert store.calls == [["first"], [*map(str, range(20)), "more-0", "more-1", "more-2"]]


def test_requests_of_one_turn_of_the_loop_share_an_append():
    store = Recording()

    async def scenario(writer: Writer):
        await asyncio.gather(*(writer.write([event(n)]) for n in range(30)))

    drive(store, scenario)
    assert store.sizes == [30]


def test_no_append_has_more_events_than_a_transaction_takes():
    store = Gated()
    sizes = [2000, 2000, 2000, MAX_BATCH, 1, 1]

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        others = await submit(writer, *(crowd(str(n), size) for n, size in enumerate(sizes)))
        store.release.set()
        await asyncio.gather(first, *others)

    drive(store, scenario)
    assert store.sizes == [1, 4002, MAX_BATCH, 2000]
    names = [name.partition("-") for ids in store.calls for name in ids]
    for n, size in enumerate(sizes):
        assert [int(rest) for name, _, rest in names if name == str(n)] == list(range(size))


def test_few_events_go_before_many_that_came_earlier_and_hold_up_none_of_them():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        many = await submit(writer, crowd("many", 12_000))
        few = await submit(writer, *(crowd(str(n), 100) for n in range(90)))
        store.release.set()
        await asyncio.gather(first, *many, *few)

    drive(store, scenario)
    parts = [sum(name.startswith("many") for name in ids) for ids in store.calls[1:]]
    assert parts[:2] == [1000, 1000]  # beside 4,000 few ones, then the other 5,000
    assert sum(parts) == 12_000
    assert store.sizes[1] == MAX_BATCH
    stored = [name for ids in store.calls for name in ids if name.startswith("many")]
    assert stored == [f"many-{n}" for n in range(12_000)]


def test_requests_of_many_events_take_turns():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        tasks = await submit(writer, crowd("a", 60_000), crowd("b", 20_000))
        store.release.set()
        await first
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert pending == {tasks[0]}
        await tasks[0]

    drive(store, scenario)


def test_a_request_of_more_events_than_a_transaction_takes_is_written_in_several_in_order():
    store = Recording()
    events = [*crowd("e", 2 * MAX_BATCH + 7), event("e-0")]
    outcomes = drive(store, lambda writer: writer.write(events))
    assert ids_of(outcomes) == [one.event_id for one in events]
    assert [one.is_duplicate for one in outcomes] == [False] * (len(events) - 1) + [True]
    assert max(store.sizes) == MAX_BATCH
    assert [name for ids in store.calls for name in ids] == [one.event_id for one in events]


def test_a_large_request_that_fails_in_part_fails_and_keeps_what_was_written():
    store = Recording()
    store.spoil = failing(StoreError("No."), "e-7000")

    async def scenario(writer: Writer):
        with pytest.raises(StoreError, match=r"No\."):
            await writer.write(crowd("e", 2 * MAX_BATCH + 7))
        await writer.write([event("afterwards")])
        return writer.stats

    stats = drive(store, scenario)
    # What was ahead of the failure is kept, and what was submitted beside it.
    assert [stats.failed, stats.queued] == [1000, 0]
    assert 7001 <= stats.stored <= 9008


# -- Overload --------------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_keeps_what_it_accepted():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, crowd("first", 2))
        (second,) = await submit(writer, [event("second")])
        assert writer.stats.queued == 3
        waiting = await submit(writer, *([event(f"waiting-{n}")] for n in range(3)))
        with pytest.raises(OverloadedError, match="3 events and 3 requests wait") as caught:
            await writer.write([event("third")])
        assert caught.value.retry_after == 1
        store.release.set()
        await asyncio.gather(first, second, *waiting)
        assert writer.stats.queued == 0
        await writer.write([event("fourth")])
        return writer.stats

    stats = drive(store, scenario, max_events=3)
    assert (stats.stored, stats.refused) == (7, 1)
    assert store.get("third") is None


def test_an_empty_queue_takes_anything():
    outcomes = drive(MemoryStore(), lambda writer: writer.write(crowd("e", 12_000)), max_events=1)
    assert len(outcomes) == 12_000


def test_batches_wait_for_room_and_single_events_pass_between_them():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, crowd("first", 900))
        batches = await submit(writer, *(crowd(f"b{n}", 3000) for n in range(20)))
        singles = await submit(writer, *([event(f"s{n}")] for n in range(50)))
        assert writer.stats.queued <= 1000
        store.release.set()
        await asyncio.gather(first, *batches, *singles)
        return writer.stats

    stats = drive(store, scenario, max_events=1000)
    assert (stats.stored, stats.refused, stats.queued) == (60_950, 0, 0)


def test_a_request_that_goes_away_while_it_waits_gives_its_turn_to_the_next():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, crowd("first", 3))
        gone, given, stays = await submit(writer, *([event(n)] for n in ("gone", "given", "stays")))
        gone.cancel()
        store.release.set()
        await first
        given.cancel()
        await stays
        return writer.stats

    stats = drive(store, scenario, max_events=3)
    assert store.get("gone") is None
    assert store.get("stays") is not None
    assert (stats.queued, stats.refused) == (0, 0)


def test_who_waits_for_room_when_the_server_stops_is_told():
    store = Gated()

    async def main():
        writer = Writer(store, max_events=3)
        writer.start()
        first = await hold(store, writer, crowd("first", 3))
        (waiting,) = await submit(writer, [event("waiting")])
        writer.refuse()
        with pytest.raises(OverloadedError, match="stopping"):
            await waiting
        store.release.set()
        assert await asyncio.to_thread(writer.close, 30)
        await first

    asyncio.run(main())
    assert store.count() == 3


def test_a_large_request_is_not_turned_away_half_way():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        large = await submit(writer, *(crowd(f"l{n}", 20) for n in range(4)))
        refused = 0
        for n in range(40):
            (task,) = await submit(writer, [event(f"s{n}")])
            refused += task.done() and isinstance(task.exception(), OverloadedError)
        store.release.set()
        await asyncio.gather(first, *large)
        return refused

    assert drive(store, scenario, max_events=10) > 0
    assert sum(store.get(f"l{n}-{m}") is not None for n in range(4) for m in range(20)) == 80


# -- Failures --------------------------------------------------------------------------------------


def test_a_poisoned_event_fails_alone():
    store = Gated()
    store.spoil = failing(StoreError("Not this one."))

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        tasks = await submit(writer, [event("a")], [event("poison"), event("b")], [event("c")])
        store.release.set()
        await first
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return results, writer.stats

    (a, poisoned, c), stats = drive(store, scenario)
    assert (ids_of(a), ids_of(c)) == (["a"], ["c"])
    assert isinstance(poisoned, StoreError)
    assert store.get("b") is None
    assert stats == WriterStats(stored=3, failed=2, batches=2)


def test_a_store_that_is_away_fails_the_batch_at_once_and_recovers():
    store = Gated()
    store.spoil = failing(StoreUnavailableError("The disk is full."), "a")

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        tasks = await submit(writer, [event("a")], [event("b")])
        store.release.set()
        await first
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailableError] * 2
        store.spoil = lambda _: None
        await asyncio.gather(writer.write([event("a")]), writer.write([event("b")]))
        return writer.stats

    stats = drive(store, scenario)
    assert store.calls == [["first"], ["a", "b"], ["a", "b"]]
    assert stats == WriterStats(stored=3, failed=2, batches=3)


def test_an_unexpected_exception_fails_only_its_request_and_the_thread_goes_on(caplog):
    store = Gated()
    store.spoil = failing(ZeroDivisionError("a bug"))

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        tasks = await submit(writer, [event("a")], [event("poison")])
        store.release.set()
        await first
        good, bad = await asyncio.gather(*tasks, return_exceptions=True)
        assert ids_of(good) == ["a"]
        assert isinstance(bad, StoreError)
        assert "ZeroDivisionError('a bug')" in bad.message
        assert writer.running
        await writer.write([event("afterwards")])

    drive(store, scenario)
    assert store.get("afterwards") is not None
    assert any("Traceback" in (record.exc_text or "") for record in caplog.records)


def test_a_request_that_is_cancelled_leaves_its_neighbours_alone():
    store = Gated()

    async def scenario(writer: Writer):
        first = await hold(store, writer, [event("first")])
        gone, stays = await submit(writer, [event("gone")], [event("stays")])
        gone.cancel()
        first.cancel()
        store.release.set()
        assert ids_of(await stays) == ["stays"]
        assert gone.cancelled()
        return writer.stats

    stats = drive(store, scenario)
    assert stats == WriterStats(stored=3, batches=2)
    assert store.get("gone") is not None


def test_a_cancelled_request_that_fails_is_no_trouble():
    store = Gated()
    store.spoil = failing(StoreError("No."))

    async def scenario(writer: Writer):
        task = await hold(store, writer, [event("poison")])
        task.cancel()
        await turns()
        store.release.set()
        await writer.write([event("afterwards")])
        return writer.stats

    assert drive(store, scenario) == WriterStats(stored=1, failed=1, batches=2)


# -- The end ---------------------------------------------------------------------------------------


def test_closing_writes_what_waits_and_refuses_what_comes_later():
    store = Gated()

    async def main():
        writer = Writer(store, max_events=100_000)
        writer.start()
        assert writer.running
        first = await hold(store, writer, [event("first")])
        waiting = await submit(writer, *(crowd(str(n), 4000) for n in range(3)))
        last = asyncio.create_task(writer.write([event("last")]))
        await asyncio.sleep(0)  # submitted, but not handed over yet
        writer.refuse()
        assert not writer.running
        with pytest.raises(OverloadedError, match="stopping") as caught:
            await writer.write([event("too late")])
        assert caught.value.retry_after == 5
        store.release.set()
        assert await asyncio.to_thread(writer.close, 30)
        await asyncio.gather(first, *waiting, last)
        with pytest.raises(OverloadedError, match="stopping"):
            await writer.write([event("too late")])
        return writer.stats

    assert asyncio.run(main()).queued == 0
    assert store.count() == 12_002
    assert store.get("too late") is None


def test_closing_tells_when_there_was_too_little_time_and_may_be_repeated():
    store = Gated()

    async def main():
        writer = Writer(store, max_events=10)
        writer.start()
        task = await hold(store, writer, [event("slow")])
        writer.refuse()
        assert not writer.close(0.01)
        store.release.set()
        assert await asyncio.to_thread(writer.close, 30)
        await task

    asyncio.run(main())
    assert store.get("slow") is not None


def test_before_the_start_events_are_refused_and_there_is_nothing_to_close():
    async def main():
        writer = Writer(MemoryStore(), max_events=10)
        assert not writer.started
        assert not writer.running
        with pytest.raises(OverloadedError, match="starting"):
            await writer.write([event(1)])
        assert writer.stats.queued == 0

    asyncio.run(main())


def test_a_loop_that_is_gone_does_not_keep_the_thread_from_writing_what_it_has(caplog):
    store = Gated()

    async def main():
        writer = Writer(store, max_events=100_000)
        writer.start()
        await hold(store, writer, [event("first")])
        await submit(writer, crowd("a", 4000), crowd("b", 4000))
        return writer

    writer = asyncio.run(main())
    store.release.set()
    wait_until(lambda: store.count() == 8001, "all events")
    assert writer.running
    assert writer.close(30)
    assert store.sizes == [1, MAX_BATCH, 3000]
    assert "1 requests ended before their events were written" in caplog.text


# -- Statistics ------------------------------------------------------------------------------------


def test_the_counts_tell_the_fate_of_every_event():
    store = Recording()
    store.spoil = failing(StoreError("No."))

    async def scenario(writer: Writer):
        await writer.write(crowd("a", 3))
        await writer.write([event("a-0"), event("a-1", alert=True), event("b")])
        with pytest.raises(StoreError):
            await writer.write([event("poison"), event("c")])
        return writer.stats

    assert drive(store, scenario) == WriterStats(stored=4, duplicate=2, failed=2, batches=3)
