"""The service: whose question ends, when, and how the others get on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing

import pytest

from madsci.common.errors import OverloadedError, QueryTimeoutError
from madsci.event_manager.model.query import Query, latest
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.search.lanes import PATIENCE
from madsci.event_manager.search.service import Search
from madsci.event_manager.stores.memory import MemoryStore
from support.server import wait_until

SLOW = parse_selector({"event_data.slow": 1})
QUICK = parse_selector({"log_level": 20})


class HalfEndless(MemoryStore):
    """A store in which counting what is slow goes on until its budget is over."""

    def __init__(self) -> None:
        super().__init__()
        self.append([StoredEvent("e", "log", 20, False, 1, 1, {}, "{}")])
        self.counting = 0
        self.begun = threading.Semaphore(0)

    def tally(self, tallies):
        if tallies[0].selector != SLOW:
            return super().tally(tallies)
        self.counting += 1
        self.begun.release()
        try:
            while not tallies[0].budget.is_over:
                time.sleep(0.001)
            tallies[0].budget.check()
        finally:
            self.counting -= 1


def with_search(drill, **settings) -> None:
    async def whole():
        store = HalfEndless()
        with closing(Search(store, **{"seconds": 100.0, "places": 2, **settings})) as search:
            await drill(search, store)

    asyncio.run(whole())


async def ended(tasks) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_hundred_questions_whose_askers_left_are_gone_at_once():
    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW)) for _ in range(60)]
        await asyncio.to_thread(store.begun.acquire)
        await ended(asking)
        assert await asyncio.wait_for(search.count(QUICK), 10) == 1
        await asyncio.to_thread(wait_until, lambda: store.counting == 0, what="the end of all of them")

    with_search(drill)


def test_a_quick_question_is_answered_amid_slow_ones():
    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW)) for _ in range(30)]
        await asyncio.to_thread(store.begun.acquire)
        for _ in range(3):
            assert await asyncio.wait_for(search.count(QUICK), 10) == 1
        await ended(asking)

    with_search(drill)


def test_the_time_of_a_question_runs_from_its_arrival():
    async def drill(search, store):
        with pytest.raises(QueryTimeoutError, match=r"stopped after 100 s.*Narrow it"):
            await search.count(SLOW, since=time.monotonic() - 99.9)
        before = asyncio.ensure_future(search.count(SLOW))
        await asyncio.to_thread(store.begun.acquire)
        with pytest.raises(OverloadedError, match="not begun"):
            await search.count(SLOW, since=time.monotonic() - 99.9)
        await ended([before])

    with_search(drill, places=1)


def test_waiting_counts_where_nobody_says_when_a_question_arrived():
    """One after the other is begun and stopped, so that those behind have waited for too long."""

    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW)) for _ in range(6)]
        done = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in done].count(OverloadedError) >= 4

    with_search(drill, seconds=1.0, places=1)


def test_what_was_moved_to_the_slow_ones_and_never_had_its_turn_again_took_too_long():
    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW)) for _ in range(3)]
        done = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(one) for one in done} <= {QueryTimeoutError, OverloadedError}
        assert QueryTimeoutError in {type(one) for one in done}
        assert store.counting == 0

    with_search(drill, seconds=1.0)


def test_what_did_not_even_heed_its_time_is_told_what_to_narrow(monkeypatch):
    """As where a process has to be ended, which tells nothing of the question."""

    async def drill(search, store):
        def ended(job, budget):
            time.sleep(budget.left)
            raise QueryTimeoutError("ended")

        monkeypatch.setattr(search._answering, "ask", ended)
        with pytest.raises(QueryTimeoutError, match=r"stopped after 0\.2 s\. Narrow it: give a range"):
            await search.count(SLOW)

    with_search(drill, seconds=0.2)


def test_what_ran_out_of_its_time_is_not_taken_for_quick():
    """It had waited for nearly all of it, and was stopped as soon as it was begun."""

    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW))]
        await asyncio.to_thread(store.begun.acquire)
        await asyncio.to_thread(wait_until, lambda: search._lanes._taken[True], what="the slow seat")
        with pytest.raises(QueryTimeoutError):
            await search.count(SLOW, since=time.monotonic() - 100.0 + PATIENCE / 2)
        await asyncio.to_thread(store.begun.acquire)
        asking += [asyncio.ensure_future(search.count(SLOW)) for _ in range(2)]
        await asyncio.to_thread(store.begun.acquire)
        assert search._lanes.waiting == 1
        await ended(asking)

    with_search(drill, places=3)


def test_lists_of_the_newest_need_no_place():
    async def drill(search, store):
        asking = [asyncio.ensure_future(search.count(SLOW)) for _ in range(30)]
        await asyncio.to_thread(store.begun.acquire)
        page = await asyncio.wait_for(search.latest(Query(latest(), 20)), 10)
        assert b'"e"' in page.body
        assert b'"e"' in await asyncio.wait_for(search.get("e"), 10)
        assert await search.get("no such event") is None
        await ended(asking)

    with_search(drill)


def test_a_service_that_was_closed_says_so():
    async def drill(search, _):
        search.close()
        with pytest.raises(OverloadedError, match="stopping"):
            await search.count(QUICK)

    with_search(drill)
