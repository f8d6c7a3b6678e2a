"""Slots by cron expressions, in zones that put their clocks forward and back."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from madsci.common.clock import from_us, to_us
from madsci.event_manager.tasks.cron import Cron

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")  # forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00
MINUTE = 60_000_000


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


def latest(expression: str, now: str, zone=BERLIN) -> str | None:
    found = Cron(expression, zone).latest(us(now))
    return None if found is None else f"{from_us(found):%Y-%m-%dT%H:%M}"


def following(expression: str, now: str, zone=BERLIN) -> str:
    return f"{from_us(Cron(expression, zone).next(us(now))):%Y-%m-%dT%H:%M}"


def test_a_slot_begins_at_the_named_time_of_the_zone():
    assert latest("0 2 * * *", "2026-01-10T00:59:59.999999") == "2026-01-09T01:00"
    assert latest("0 2 * * *", "2026-01-10T01:00:00") == "2026-01-10T01:00"
    assert following("0 2 * * *", "2026-01-10T00:59:59.999999") == "2026-01-10T01:00"
    assert following("0 2 * * *", "2026-01-10T01:00:00") == "2026-01-11T01:00"
    assert following("0 2 * * *", "2026-07-10T01:00:00") == "2026-07-11T00:00"  # summer time


def test_a_time_that_is_left_out_counts_an_hour_later():
    assert following("30 2 * * *", "2026-03-28T12:00:00") == "2026-03-29T01:30"
    assert latest("30 2 * * *", "2026-03-29T01:29:00") == "2026-03-28T01:30"
    assert latest("30 2 * * *", "2026-03-29T01:30:00") == "2026-03-29T01:30"


def test_a_time_that_comes_twice_counts_the_first_time_only():
    assert following("30 2 * * *", "2026-10-24T12:00:00") == "2026-10-25T00:30"
    assert following("30 2 * * *", "2026-10-25T00:30:00") == "2026-10-26T01:30"
    assert latest("30 2 * * *", "2026-10-25T01:45:00") == "2026-10-25T00:30"
    assert latest("45 2 * * *", "2026-10-25T01:30:00") == "2026-10-25T00:45"  # the second 02:30


def test_rare_times_are_found():
    assert following("0 0 29 2 *", "2026-01-01T00:00:00", UTC) == "2028-02-29T00:00"
    assert latest("0 0 29 2 *", "2026-01-01T00:00:00", UTC) == "2024-02-29T00:00"


def test_without_a_zone_the_clock_is_that_of_this_machine():
    now = us("2026-01-10T12:34:56")
    found = Cron("15 * * * *").next(now)
    assert datetime.fromtimestamp(found / 1e6).astimezone().minute == 15
    assert now < found <= now + 60 * MINUTE


def test_the_hour_that_comes_twice_has_its_slots_once():
    assert latest("* * * * *", "2026-10-25T00:59:30") == "2026-10-25T00:59"
    assert latest("* * * * *", "2026-10-25T01:30:00") == "2026-10-25T00:59"
    assert following("* * * * *", "2026-10-25T00:59:00") == "2026-10-25T02:00"


def test_slots_are_in_the_order_of_time_where_a_left_out_one_is_later_than_the_next():
    """02:30 counts at 03:30, and 03:15 comes before that."""
    expression = "15,30 2,3 * * *"
    assert following(expression, "2026-03-29T00:00:00") == "2026-03-29T01:15"
    assert following(expression, "2026-03-29T01:15:00") == "2026-03-29T01:30"
    assert latest(expression, "2026-03-29T01:40:00") == "2026-03-29T01:30"
