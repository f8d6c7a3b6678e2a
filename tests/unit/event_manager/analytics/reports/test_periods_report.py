"""Periods add up, whatever clocks do, and things that began before them are in them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import periods_report
from support.lab_story import (
    action,
    experiment,
    lines_of,
    missing,
    node_up,
    periods_of,
    session,
)

CHICAGO, BERLIN, UTC = ZoneInfo("America/Chicago"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
WINDOW = ("2025-01-06T00:00:00", "2025-01-08T00:00:00")
LENGTHS = list(Length)


def test_work_over_midnight_is_cut_at_midnight():
    events = [
        *session("20:00", "2025-01-07T04:00:00"),
        *experiment("22:30", "2025-01-07T01:00:00"),
        *node_up("20:00", "2025-01-07T04:00:00"),
        *action("23:15", "2025-01-07T00:30:00"),
    ]
    report = periods_of(events, *WINDOW)
    assert not missing(
        report["time_series"],
        {
            "system": [
                {"runtime_hours": 4.0, "active_time_hours": 1.5, "utilization": 37.5, "experiments": 1},
                {"runtime_hours": 4.0, "active_time_hours": 1.0, "utilization": 25.0, "experiments": 1},
            ],
            "nodes": {"n": [{"busy_hours": 0.75}, {"busy_hours": 0.5}]},
        },
    )
    assert report["key_metrics"]["total_experiments"] == 1
    assert report["key_metrics"]["peak_period"] == "2025-01-06"


def test_what_ends_at_midnight_is_not_of_the_next_day():
    events = [*session("20:00", "2025-01-07T00:00:00"), *experiment("20:00", "2025-01-07T00:00:00")]
    report = periods_of(events, *WINDOW)
    assert [one["experiments"] for one in report["time_series"]["system"]] == [1, 0]
    assert len(report["time_series"]["workcells"]["W"]) == 1


def test_hours_go_with_the_clock_and_forget_nothing_that_began_before_them():
    events = [*session("08:30", "11:30"), *experiment("08:45", "11:15"), *action("09:10", "10:20")]
    report = periods_of(events, "08:30", "11:30", Length.HOURLY)
    rows = report["time_series"]["system"]
    assert [one["period_display"][11:] for one in rows] == ["08:00", "09:00", "10:00", "11:00"]
    assert [one["active_time_hours"] for one in rows] == [0.25, 1.0, 1.0, 0.25]
    assert [one["start_time_utc"][11:] for one in rows] == [
        "08:30:00",
        "09:00:00",
        "10:00:00",
        "11:00:00",
    ]
    assert [one["experiments"] for one in rows] == [1, 1, 1, 1]
    busy = [one["busy_seconds"] for one in report["time_series"]["nodes"]["n"]]
    assert [one for one in busy if one] == [3000.0, 1200.0]


@pytest.mark.parametrize(
    ("zone", "begin", "end", "hours", "begins"),
    [
        (BERLIN, "2025-03-29T23:00:00", "2025-03-30T22:00:00", 23, "2025-03-30"),
        (BERLIN, "2025-10-25T22:00:00", "2025-10-26T23:00:00", 25, "2025-10-26"),
        (CHICAGO, "2025-03-09T06:00:00", "2025-03-10T05:00:00", 23, "2025-03-09"),
        (CHICAGO, "2025-11-02T05:00:00", "2025-11-03T06:00:00", 25, "2025-11-02"),
    ],
)
def test_days_on_which_clocks_are_set_are_an_hour_longer_or_shorter(zone, begin, end, hours, begins):
    events = [*session(begin, end), *experiment(begin, end)]
    (day,) = periods_of(events, begin, end, Length.DAILY, zone)["time_series"]["system"]
    assert not missing(
        day,
        {
            "date": begins,
            "start_time": f"{begins}T00:00:00",
            "runtime_seconds": hours * 3600.0,
            "active_time_seconds": hours * 3600.0,
            "utilization": 100.0,
        },
    )
    rows = periods_of(events, begin, end, Length.HOURLY, zone)["time_series"]["system"]
    assert [one["runtime_seconds"] for one in rows] == [3600.0] * hours
    shown = [one["period_display"][11:13] for one in rows]
    skipped_or_twice = {f"{hour:02d}" for hour in range(24) if shown.count(f"{hour:02d}") != 1}
    assert skipped_or_twice == {"02" if zone is BERLIN or hours == 23 else "01"}


def busy_weeks() -> list:
    """Ten weeks of odd times, over two settings of clocks in Chicago and none of them whole hours."""
    events = []
    for number in range(40):
        day = f"2025-{2 + number // 14:02d}-{1 + 2 * (number % 14):02d}"
        begin, end = f"{day}T{number % 20:02d}:17:03.000001", f"{day}T23:41:59.999999"
        events += session(begin, end, "A" if number % 3 else "B")
        middle = f"{day}T21:{number:02d}:00.5"
        events += experiment(f"{day}T20:05:00.25", middle if number % 7 else None, f"x{number}")
        events += action(f"{day}T20:06:00.125", f"{day}T20:{10 + number}:07.75", f"n{number % 4}")
    return events


@pytest.mark.parametrize("zone", [CHICAGO, BERLIN, UTC])
def test_periods_of_all_lengths_add_up_to_the_same(zone):
    lines = lines_of(busy_weeks(), "2025-02-03T05:55:00", "2025-04-20T17:03:11")
    sums = []
    for length in LENGTHS:
        report = periods_report(lines, length, zone, 0)
        rows, metrics = report["time_series"]["system"], report["key_metrics"]
        columns = ("runtime_seconds", "active_time_seconds", "unknown_time_seconds")
        together = [round(sum(one[name] for one in rows), 6) for name in columns]
        assert together == [metrics[f"total_{name}"] for name in columns]
        for id_, some in report["time_series"]["nodes"].items():
            names = {"total_busy_seconds": "busy_seconds", "total_up_seconds": "up_seconds"}
            for whole, part in names.items():
                total = round(sum(one[part] for one in some), 6)
                assert total == report["node_summary"][id_][whole]
                together.append(total)
        for id_, some in report["time_series"]["workcells"].items():
            total = round(sum(one["runtime_seconds"] for one in some), 6)
            assert total == report["workcell_summary"][id_]["total_runtime_seconds"]
            together.append(total)
        sums.append(together)
    assert sums[0][0] > sums[0][1] > 0
    assert sums[0][2] > 0
    assert sums == [sums[0]] * len(LENGTHS)


def test_workcells_beside_each_other_have_their_own():
    events = [
        *session("06:00", "10:00", "A", name="Left"),
        *session("08:00", "12:00", "B"),
        *experiment("06:00", "07:00", "of A", workcell_id="A"),
        *experiment("08:00", "11:00", "of B", workcell_id="B"),
        *experiment("09:00", "09:30", "of none"),
    ]
    report = periods_of(events, "00:00", "24:00")
    assert not missing(
        report["workcell_summary"],
        {
            "A": {"display_name": "Left", "total_experiments": 2, "total_active_time_hours": 1.5},
            "B": {"display_name": "Workcell B", "total_experiments": 2, "total_active_time_hours": 3.0},
        },
    )
    assert not missing(
        report["key_metrics"],
        {"total_runtime_hours": 6.0, "total_active_time_hours": 4.0, "total_experiments": 3},
    )


def test_nodes_are_in_the_series_only_where_anything_is_known():
    events = [*session("06:00", "10:00"), *node_up("07:00", "08:30"), *action("07:30", "08:00")]
    report = periods_of(events, "05:00", "11:00", Length.HOURLY)
    rows = report["time_series"]["nodes"]["n"]
    assert [(one["period_number"], one["utilization"]) for one in rows] == [(3, 50.0), (4, 0.0)]


def test_a_node_that_never_said_when_it_was_up_is_so_throughout_sessions():
    report = periods_of([*session("06:00", "10:00"), *action("07:00", "08:00")], "00:00", "24:00")
    assert report["node_summary"]["n"]["average_utilization"] == 25.0


def test_what_is_too_large_for_one_report_is_refused_in_a_sentence():
    events = [one for n in range(30) for one in action("06:00", "07:00", f"n{n}")]
    lines = lines_of(events, "2024-01-01T00:00:00", "2025-02-01T00:00:00")
    with pytest.raises(InvalidInputError, match=r"9,528 periods of 30 nodes .* longer periods"):
        periods_report(lines, Length.HOURLY, UTC, 0)


def test_no_period_is_used_more_than_whole():
    report = periods_of([*session("06:00", "07:00"), *experiment("06:00", "11:00")], "00:00", "24:00")
    assert report["key_metrics"]["average_utilization"] == 100.0
    assert report["time_series"]["system"][0]["utilization"] == 100.0
