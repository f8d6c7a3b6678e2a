"""How reports write times, lengths, shares and names, as the reference does."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.reports.figures import (
    display_name,
    ending,
    hours,
    instant,
    length,
    percent,
    seconds,
    spelled,
)
from support.lab_story import at

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("taken", "display", "unit", "value"),
    [
        (0, "0.0s", "seconds", 0.0),
        (30, "30.0s", "seconds", 30.0),
        (59.94, "59.9s", "seconds", 59.94),
        (60, "1.0m", "minutes", 1.0),
        (1800, "30.0m", "minutes", 30.0),
        (3599.94, "60.0m", "minutes", 60.0),
        (3600, "1.0h", "hours", 1.0),
        (14400, "4.0h", "hours", 4.0),
        (1_000_000, "277.8h", "hours", 277.78),
    ],
)
def test_a_length_has_the_unit_that_suits_it_and_all_others(taken, display, unit, value):
    assert length(round(taken * SECOND)) == {
        "display": display,
        "seconds": taken,
        "minutes": pytest.approx(taken / 60, abs=1e-6),
        "hours": pytest.approx(taken / 3600, abs=1e-6),
        "primary_unit": unit,
        "primary_value": value,
    }


def test_a_length_is_exact_in_seconds_to_the_microsecond():
    assert length(86_399_999_999)["seconds"] == 86399.999999
    assert seconds(1) == 0.000001


@pytest.mark.parametrize(
    ("taken", "expected"), [(12, "12.0 seconds"), (1800, "30.0 minutes"), (3600, "1.0 hours")]
)
def test_people_say_a_length_in_one_unit(taken, expected):
    assert spelled(taken * SECOND) == expected


def test_instants_are_utc_without_a_zone_and_with_a_fraction_only_where_there_is_one():
    assert instant(at("13:59")) == "2025-01-06T13:59:00"
    assert instant(at("13:59:00.000001")) == "2025-01-06T13:59:00.000001"
    assert instant(at("1969-12-31T23:00:00")) == "1969-12-31T23:00:00"


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 4, 25.0), (1, 3, 33.3), (1800, 14100, 12.8), (0, 7, 0.0), (5, 5, 100.0), (0, 0, 0.0)],
)
def test_shares_have_one_digit_and_are_nothing_of_nothing(part, whole, expected):
    assert percent(part, whole) == expected


def test_hours_have_four_digits_unless_told_otherwise():
    taken = 2_940 * SECOND
    assert (hours(taken), hours(taken, 3), hours(taken, 2)) == (0.8167, 0.817, 0.82)


def test_names_go_before_ids_of_which_the_end_is_shown():
    id_ = "01JGYM0QQ05KDGJRN1"
    assert ending(id_) == "5KDGJRN1"
    assert display_name(None, "Node", id_) == "Node 5KDGJRN1"
    assert display_name("robot", "Node", id_) == "robot"
    assert display_name("robot", "Node", id_, with_id=True) == "robot (5KDGJRN1)"
    assert display_name(None, "Node", "n", with_id=True) == "Node n"
