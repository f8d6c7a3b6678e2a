"""Who is answered when: quick questions wait for quick ones only, and nobody for those who left."""

from __future__ import annotations

import asyncio

import pytest

from madsci.common.errors import OverloadedError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import OLDEST_FIRST
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.search import lanes as lanes_module
from madsci.event_manager.search.jobs import PageJob, TallyJob
from madsci.event_manager.search.lanes import MAX_WAITING, Lanes, shape_of


def long() -> Budget:
    """A budget that begins now, and not when the tests were collected."""
    return Budget(100.0)


def on_a_loop(drill) -> None:
    asyncio.run(drill())


async def begun(*coroutines):
    """Tasks for the coroutines, each of which has come as far as it can."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    await settled()
    return tasks


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def with_slow_ones(lanes: Lanes, number: int):
    """Slow questions: as many seated as may be, the others wait."""
    seat = await lanes.take("slow", long())
    assert lanes.is_slow_after_all("slow", seat)
    return seat, await begun(*(lanes.take("slow", long()) for _ in range(number - 1)))


def test_a_quick_question_has_a_seat_whatever_slow_ones_wait():
    async def drill():
        lanes = Lanes(2)
        await with_slow_ones(lanes, 50)
        assert lanes.waiting == 49
        for _ in range(3):
            (quick,) = await begun(lanes.take("quick", long()))
            assert not quick.result().is_slow
            lanes.give_back(quick.result())

    on_a_loop(drill)


def test_a_question_that_proves_slow_gives_up_the_last_seat_and_those_like_it_change_lanes():
    async def drill():
        lanes = Lanes(2)
        await with_slow_ones(lanes, 1)
        seat = await lanes.take("another", long())
        alike = await begun(lanes.take("another", long()), lanes.take("another", long()))
        (quick,) = await begun(lanes.take("quick", long()))
        assert not lanes.is_slow_after_all("another", seat)
        lanes.give_back(seat)
        await settled()
        assert quick.result()
        assert not any(one.done() for one in alike)

    on_a_loop(drill)


def test_a_slow_question_gives_its_seat_to_the_next_slow_one():
    async def drill():
        lanes = Lanes(3)
        seat, others = await with_slow_ones(lanes, 4)
        assert [one.done() for one in others] == [True, False, False]
        lanes.give_back(seat)
        await settled()
        assert [one.done() for one in others] == [True, True, False]

    on_a_loop(drill)


def test_with_one_seat_quick_and_slow_questions_take_turns():
    async def drill():
        lanes = Lanes(1)
        seat, _ = await with_slow_ones(lanes, 10)
        quick = await begun(*(lanes.take("quick", long()) for _ in range(10)))
        order = []
        for _ in range(8):
            lanes.give_back(seat)
            await settled()
            done = [one for one in quick if one.done()]
            order.append("quick" if len(done) > order.count("quick") else "slow")
            seat = done[-1].result() if order[-1] == "quick" else type(seat)(is_slow=True)
        assert order == ["quick", "slow"] * 4

    on_a_loop(drill)


def test_what_proved_slow_is_not_for_ever(monkeypatch):
    async def drill():
        lanes = Lanes(3)
        (seat, _) = await with_slow_ones(lanes, 1)
        assert (await lanes.take("slow", long())).is_slow
        lanes.is_quick_after_all("slow")
        assert not (await lanes.take("slow", long())).is_slow
        lanes.give_back(seat)
        lanes.is_slow_after_all("slow", seat)
        monkeypatch.setattr(lanes_module, "_REMEMBERED_FOR", 0.0)
        assert not (await lanes.take("slow", long())).is_slow

    on_a_loop(drill)


def test_who_leaves_while_waiting_takes_no_seat_from_anybody():
    async def drill():
        lanes = Lanes(1)
        seat = await lanes.take("quick", long())
        leaving, staying = await begun(lanes.take("quick", long()), lanes.take("quick", long()))
        leaving.cancel()
        await asyncio.wait([leaving])
        assert lanes.waiting == 1
        lanes.give_back(seat)
        assert not (await staying).is_slow

    on_a_loop(drill)


def test_who_leaves_at_the_moment_of_being_seated_gives_the_seat_to_the_next():
    async def drill():
        lanes = Lanes(1)
        seat = await lanes.take("quick", long())
        leaving, staying = await begun(lanes.take("quick", long()), lanes.take("quick", long()))
        lanes.give_back(seat)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert (await asyncio.wait_for(staying, 10)) is not None
        assert lanes.waiting == 0

    on_a_loop(drill)


def test_a_question_whose_time_is_over_is_not_begun_though_there_is_a_seat():
    """As one that gets its seat in the moment in which it had waited for too long."""

    async def drill():
        lanes = Lanes(2)
        for _ in range(3):
            with pytest.raises(OverloadedError, match="not begun"):
                await lanes.take("quick", Budget(0.0))
        assert lanes.waiting == 0
        for _ in range(2):
            await lanes.take("quick", long())

    on_a_loop(drill)


def test_a_budget_that_is_used_up_by_waiting_is_told_to_come_back():
    async def drill():
        lanes = Lanes(1)
        await lanes.take("quick", long())
        with pytest.raises(OverloadedError, match=r"waited for 0.01 s.*not begun"):
            await lanes.take("quick", Budget(0.01))
        assert lanes.waiting == 0

    on_a_loop(drill)


def test_questions_of_different_shapes_take_turns():
    async def drill():
        lanes = Lanes(1)
        seat = await lanes.take("many", long())
        many = await begun(*(lanes.take("many", long()) for _ in range(20)))
        (one,) = await begun(lanes.take("one", long()))
        for _ in range(2):
            lanes.give_back(seat)
            await settled()
        await settled()
        assert one.done()
        assert sum(each.done() for each in many) == 1

    on_a_loop(drill)


def test_in_a_full_lane_one_of_the_most_frequent_makes_room():
    async def drill():
        lanes = Lanes(1)
        await lanes.take("many", long())
        many = await begun(*(lanes.take("many", long()) for _ in range(MAX_WAITING)))
        with pytest.raises(OverloadedError, match="wait already"):
            await lanes.take("many", long())
        (other,) = await begun(lanes.take("other", long()))
        assert not other.done()
        refused = [one for one in many if one.done()]
        assert refused == many[-1:]
        with pytest.raises(OverloadedError, match="wait already"):
            await refused[0]
        assert lanes.waiting == MAX_WAITING

    on_a_loop(drill)


def page(selector, **others) -> PageJob:
    return PageJob(Query(parse_selector(selector), **others))


def test_questions_that_differ_in_values_only_have_one_shape():
    first = page({"event_data.a": {"$regex": "x"}, "log_level": {"$gte": 20}})
    assert shape_of(first) == shape_of(
        page({"event_data.a": {"$regex": "y"}, "log_level": {"$gte": 1}})
    )


@pytest.mark.parametrize(
    "other",
    [
        page({"event_data.b": {"$regex": "x"}}),
        page({"event_data.a": "x"}),
        page({"event_data.a": {"$regex": "x"}, "event_data.b": 1}),
        page({"event_data.a": {"$regex": "x"}}, sort=OLDEST_FIRST),
        TallyJob([Tally(parse_selector({"event_data.a": {"$regex": "x"}}))]),
        TallyJob([Tally(parse_selector({"event_data.a": {"$regex": "x"}}), GROUPINGS["node"])]),
    ],
)
def test_other_paths_operators_orders_and_kinds_of_question_have_another(other):
    assert shape_of(other) != shape_of(page({"event_data.a": {"$regex": "x"}}))


def test_groupings_have_shapes_of_their_own():
    shapes = {shape_of(TallyJob([Tally(grouping=one)])) for one in GROUPINGS.values()}
    assert len(shapes) == len(GROUPINGS)
