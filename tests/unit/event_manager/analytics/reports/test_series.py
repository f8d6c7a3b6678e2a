"""What periods are called, and figures of a thing by periods."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from madsci.event_manager.analytics.intervals import NEVER, Intervals
from madsci.event_manager.analytics.periods import Length, periods
from madsci.event_manager.analytics.reports.series import Cell, Label, cells, peak
from support.lab_story import moments

HOUR = 3_600_000_000


def labels(length: Length, begin="2025-01-06T14:30:00", end="2025-01-06T15:30:00", zone="UTC"):
    found = periods(moments(begin, end), length, ZoneInfo(zone))
    return [Label(number, one, length) for number, one in enumerate(found, 1)]


@pytest.mark.parametrize(
    ("length", "kind", "display", "date", "context"),
    [
        ("hourly", "period", "2025-01-06 14:00", "2025-01-06", "in 2025-01-06 14:00"),
        ("daily", "day", "2025-01-06", "2025-01-06", "on 2025-01-06"),
        ("weekly", "week", "Week of 2025-01-06", "2025-01-06", "during Week of 2025-01-06"),
        ("monthly", "month", "January 2025", "2025-01", "in January 2025"),
    ],
)
def test_periods_are_called_as_people_call_them(length, kind, display, date, context):
    first = labels(Length(length))[0]
    assert (first.number, first.kind, first.display, first.date) == (1, kind, display, date)
    assert first.context == f"Peak utilization {context}"


def test_a_period_that_the_window_cuts_is_called_by_its_beginning():
    (first, _) = labels(Length.WEEKLY, "2025-01-12T20:00:00", "2025-01-13T20:00:00")
    assert first.display == "Week of 2025-01-06"


def test_names_go_by_the_clocks_of_the_zone():
    (first,) = labels(Length.DAILY, "2025-01-06T04:00:00", "2025-01-06T05:00:00", "America/Chicago")
    assert first.display == "2025-01-05"


def test_figures_are_what_lies_in_each_period():
    some = labels(Length.HOURLY, "2025-01-06T00:00:00", "2025-01-06T03:00:00")
    begin = some[0].period.span[0]

    def spans(*of: tuple[float, float]) -> Intervals:
        return Intervals.of((begin + round(a * HOUR), begin + round(b * HOUR)) for a, b in of)

    found = cells(some, spans((-1, 2.5)), spans((0.5, 1), (1.25, 1.5)), spans((1, 1.25), (2, 9)))
    assert [(one.whole / HOUR, one.used / HOUR, one.unknown / HOUR) for one in found] == [
        (1, 0.5, 0),
        (1, 0.25, 0.25),
        (0.5, 0, 1),
    ]
    assert [one.utilization for one in found] == [50.0, 25.0, 0.0]


def test_figures_of_nothing_are_nothing():
    found = cells(labels(Length.DAILY), NEVER, NEVER, NEVER)
    assert [(one.whole, one.used, one.unknown, one.utilization) for one in found] == [(0, 0, 0, 0.0)]


def some_cells(*figures: tuple[int, int]) -> list[Cell]:
    some = labels(Length.HOURLY, "00:00", "24:00")
    return [Cell(label, *one) for label, one in zip(some, figures, strict=False)]


def test_the_peak_is_the_first_of_the_largest():
    best = peak(some_cells((4, 1), (2, 1), (4, 2), (8, 4), (9, 4)))
    assert best is not None
    assert best.label.number == 2


def test_a_peak_goes_by_exact_shares_and_not_by_shown_ones():
    some = some_cells((100_000, 50_000), (100_000, 50_001))
    best = peak(some)
    assert best is some[1]
    assert some[0].utilization == some[1].utilization


@pytest.mark.parametrize("figures", [[], [(0, 0)], [(5, 0), (0, 0)]])
def test_there_is_no_peak_where_nothing_was_used(figures):
    assert peak(some_cells(*figures)) is None


def test_numbers_count_from_one_without_a_gap():
    numbers = [one.number for one in labels(Length.HOURLY, "00:00", "24:00")]
    assert numbers[0] == 1
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
