"""Times: any usual form in, whole microseconds inside, one text out."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import (
    from_us,
    iso,
    now_us,
    parse_instant,
    to_us,
    utc_now,
    zone_named,
)
from madsci.common.errors import SettingsError

UTC = timezone.utc
NOON = to_us(datetime(2026, 11, 23, 12, tzinfo=UTC))
EARLIEST = to_us(datetime.min.replace(tzinfo=UTC))
LATEST = to_us(datetime.max.replace(tzinfo=UTC))
instants = st.integers(EARLIEST, LATEST)


@pytest.fixture(params=["America/Chicago", "Asia/Tokyo"])
def machine_zone(request, monkeypatch):
    """A machine in another zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@given(instants)
def test_text_and_datetime_hold_every_microsecond(moment):
    assert parse_instant(iso(moment)) == moment
    assert to_us(from_us(moment)) == moment


@given(instants, instants)
def test_the_order_of_texts_is_the_order_in_time(one, other):
    assert (iso(one) < iso(other)) == (one < other)
    assert len(iso(one)) == len("2026-11-23T15:55:27.002393Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        "2026-11-23 12:00:00Z",
        "2026-11-23_12:00:00Z",
        "2026-11-23T12:00Z",
        "2026-11-23T12Z",
        "20261123T120000Z",
        "20261123T1200+0000",
        " 2026-11-23T12:00:00.000Z ",
        "2026-11-23T12:00:00,000000Z",
        "2026-11-23T06:00:00-06:00",
        "2026-11-23T06:00:00-06",
        "2026-11-23T17:30:00+05:30",
        "2026-11-23T17:30:00 +0530",
        "2026-11-23T12:00:00.0000001234567Z",
        "2026-11-23T11:59:60Z",
        "2026-11-23T11:59:59.9999999Z",
        "2026-W48-1T12:00:00Z",
        "2026W481T120000Z",
        "2026-327T12:00:00Z",
        "2026327T12Z",
        "+002026-11-23T12:00:00Z",
        "2026-11-23T12:00:00.000000000 UTC",
        "2026-11-23 12:00:00GMT",
        "2026-11-23T06:00:00\N{MINUS SIGN}06:00",
        "2026-11-23T12:53:28+00:53:28",
        "2026-11-23T13:00:00+01:00[Europe/Paris]",
        "2026-11-23T12:00:00Z[Etc/UTC][u-ca=gregory]",
        "2026-11-23T06:00[America/Chicago]",
        "2026-11-23T12:00:00+00:00[!u-ca=iso8601]",
        "1795435200",
        "1795435200.0",
        "1795435200000",
        "1795435200000000",
        "1795435200000000000",
    ],
)
def test_every_usual_text_of_one_instant_is_read_alike(text):
    assert parse_instant(text) == NOON


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_unix_time_is_read_in_seconds_and_all_finer_units(unit):
    assert parse_instant(NOON // 1_000_000 * unit) == NOON
    assert parse_instant(float(NOON // 1_000_000 * unit)) == NOON


def test_decimals_of_unix_seconds_are_kept():
    assert parse_instant(1_700_000_000.25) == 1_700_000_000_250_000
    assert parse_instant(-1) == -1_000_000


def test_a_text_without_offset_is_read_in_the_zone_that_is_given():
    assert parse_instant("2026-11-23T06:00:00", ZoneInfo("America/Chicago")) == NOON
    assert parse_instant(datetime(2026, 11, 23, 6), ZoneInfo("America/Chicago")) == NOON  # noqa: DTZ001


@pytest.mark.parametrize("value", ["2026-07-01T06:00:00", datetime(2026, 7, 1, 6)])  # noqa: DTZ001
def test_a_time_without_offset_or_zone_is_read_in_the_zone_of_the_machine(machine_zone, value):
    expected = datetime(2026, 7, 1, 6, tzinfo=ZoneInfo(machine_zone))
    assert parse_instant(value) == to_us(expected)


@pytest.mark.parametrize(
    "value",
    [
        "", "now", "2026", "2026-11", "2026-13-01T00:00:00Z", "2026-02-30", "2026-11-23T25:00:00Z",
        "2026-11-23T12:00:61Z", "2026-11-23T12:00:00+99:00", "2026-11-23T12:00:00Zulu",
        "٢٠٢٦-11-23", None, True, [], {}, b"2026-11-23", float("nan"), float("inf"), 10**30, 3e19,
        "12345678", "-1", "2026-W54-1", "2026-W00-1", "2026-366", "2026-000", "2026-11-23T24:00:01Z",
        "2026-11-23T12:60Z", "+012026-11-23", "-000001-01-01", "2026-11-23T12:00[Mars/Olympus]",
        "2026-11-23T12:00[", "20261323120000", "9" * 20, pd.NaT,
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_refused_as_a_value_error(value):
    with pytest.raises(ValueError, match=r"time|years"):
        parse_instant(value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2024-02-29T24:00", (2024, 3, 1)),
        ("2024-12-31T24:00:00.000", (2025, 1, 1)),
        ("2020-W53-7", (2021, 1, 3)),
        ("2024-366", (2024, 12, 31)),
        ("2026-11-23T12.25", (2026, 11, 23, 12, 15)),
        ("2026-11-23T12:00,5", (2026, 11, 23, 12, 0, 30)),
        ("20261123120000", (2026, 11, 23, 12)),
        ("20261123120000250", (2026, 11, 23, 12, 0, 0, 250_000)),
    ],
)
def test_days_by_week_or_number_and_parts_with_decimals_are_read(text, parts):
    assert parse_instant(text, UTC) == to_us(datetime(*parts, tzinfo=UTC))


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("0001-01-01T00:00:00+01:00", EARLIEST),
        ("9999-12-31T23:59:59-01:00", LATEST),
        ("9999-12-31T23:59:59.9999999Z", LATEST),
        ("9999-12-31T23:59:60Z", LATEST),
        ("9999-12-31T24:00:00Z", LATEST),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), EARLIEST),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), LATEST),
    ],
)
def test_what_lies_a_day_outside_the_calendar_is_its_first_or_last_instant(value, instant):
    assert parse_instant(value) == instant
    assert to_us(from_us(instant)) == instant


@pytest.mark.parametrize("zone", [None, UTC, ZoneInfo("Pacific/Apia"), ZoneInfo("America/Adak")])
@pytest.mark.parametrize("moment", [datetime.min, datetime.max])  # noqa: DTZ901
def test_a_time_without_offset_at_the_ends_of_the_calendar_stays_within_it(machine_zone, moment, zone):
    """In one half of the world the first day lies outside, in the other the last."""
    nearest = {datetime.min: EARLIEST, datetime.max: LATEST}[moment]  # noqa: DTZ901
    for value in (moment, moment.isoformat()):
        found = parse_instant(value, zone)
        assert EARLIEST <= found <= LATEST
        assert abs(found - nearest) < 86_400_000_000


def test_now_is_now_and_aware():
    before = time.time_ns() // 1000
    assert before <= now_us() <= to_us(utc_now()) <= time.time_ns() // 1000
    assert utc_now().utcoffset() == timedelta(0)


def test_zones_are_found_by_name_and_no_name_is_the_machine():
    assert zone_named("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert zone_named(None) is None
    assert zone_named("") is None


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_an_unknown_zone_is_named_in_the_error(name):
    with pytest.raises(SettingsError, match="no time zone") as caught:
        zone_named(name)
    assert repr(name) in caught.value.message
