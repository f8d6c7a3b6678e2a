"""Slots of cron expressions follow each other in the order of time, wherever clocks are changed."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import parse_instant
from madsci.event_manager.tasks.cron import Cron

MINUTE = 60_000_000
BERLIN = ZoneInfo("Europe/Berlin")  # forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00
EXPRESSIONS = [
    "0 2 * * *", "30 2 * * *", "*/15 * * * *", "45 1-3 * * *", "15,30 2,3 * * *", "30 2,3 * * 0",
    "0 0 1 * *",
]  # fmt: skip
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
CHANGES = [  # days on which some of them change their clocks
    "2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01",
]  # fmt: skip


@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.sampled_from(CHANGES),
    minutes=st.integers(-2880, 2880),
)
def test_slots_follow_each_other_without_gap_or_return(expression, zone, day, minutes):
    cron = Cron(expression, zone)
    slots = [parse_instant(f"{day}T00:00:00Z") + minutes * MINUTE]
    for _ in range(12):
        slots.append(cron.next(slots[-1]))
    assert all(one < other for one, other in pairwise(slots))
    for one, other in pairwise(slots[1:]):
        for moment in (one, one + 1, (one + other) // 2, other - 1):
            assert cron.latest(moment) == one
            assert cron.next(moment) == other


@pytest.mark.parametrize(
    ("expression", "now", "latest"),
    [
        ("* * * * *", "2026-10-25T01:30:00Z", "2026-10-25T00:59:00Z"),
        ("45 2 * * *", "2026-10-25T01:30:00Z", "2026-10-25T00:45:00Z"),  # the second 02:30
        ("15,30 2,3 * * *", "2026-03-29T01:40:00Z", "2026-03-29T01:30:00Z"),  # 02:30, at 03:30
    ],
)
def test_no_slot_that_has_come_is_passed_over(expression, now, latest):
    assert Cron(expression, BERLIN).latest(parse_instant(now)) == parse_instant(latest)
