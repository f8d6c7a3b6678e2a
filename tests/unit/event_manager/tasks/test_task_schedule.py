"""Slots of a schedule: one after the other, without gaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import iso, parse_instant
from madsci.event_manager.tasks.schedule import Every


def test_days_begin_at_midnight_utc():
    day = Every(24)
    now = parse_instant("2026-11-23T15:55:27Z")
    assert iso(day.latest(now)) == "2026-11-23T00:00:00.000000Z"
    assert iso(day.next(now)) == "2026-11-24T00:00:00.000000Z"


@given(st.integers(0, 2**52), st.integers(1, 1000))
def test_now_is_in_its_slot_and_the_next_one_begins_where_it_ends(now, hours):
    every = Every(hours)
    assert every.latest(now) <= now < every.next(now)
    assert every.latest(every.next(now)) == every.next(now)
    assert every.latest(every.next(now) - 1) == every.latest(now)
