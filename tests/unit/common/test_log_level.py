"""Log levels: six integers, read from numbers and names."""

from __future__ import annotations

import logging

import pytest

from madsci.common.types.log_level import EventLogLevel, level_number


def test_the_levels_are_those_of_logging():
    assert {level.name: level.value for level in EventLogLevel} == {
        name: logging.getLevelName(name)
        for name in ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    }


@pytest.mark.parametrize("level", EventLogLevel)
def test_a_level_is_read_from_its_number_and_its_name(level):
    number, name = level.value, level.name
    for value in (number, float(number), str(number), name, name.lower(), f" {name.title()} "):
        assert EventLogLevel(value) is level
    assert EventLogLevel(f"EventLogLevel.{name}") is level


@pytest.mark.parametrize(
    ("names", "level"),
    [
        ("all", 0),
        ("trace Verbose FINEST finer fine dbg V t d", 10),
        ("Information informational notice CONFIG success inf i", 20),
        ("warn WRN w", 30),
        ("err error SEVERE fail e", 40),
        ("crit Critical fatal alert emerg emergency panic dpanic FTL f c", 50),
    ],
)
def test_names_of_other_libraries_are_read(names, level):
    assert {name: level_number(name) for name in names.split()} == dict.fromkeys(names.split(), level)


@pytest.mark.parametrize("name", ["OFF", "None", "LOUD", "EROR", "n"])
def test_what_is_no_level_of_events_is_none(name):
    assert level_number(name) is None


@pytest.mark.parametrize(
    "value", [25, "25", -10, 60, True, None, "", "loud", 20.5, [], {}, float("nan"), "٢٠"]
)
def test_anything_else_is_no_level(value):
    with pytest.raises(ValueError, match="is not a valid EventLogLevel"):
        EventLogLevel(value)


@pytest.mark.parametrize(
    ("value", "number"), [(25, 25), ("25", 25), ("-5", -5), (-5, -5), (35.0, 35), (10**20, 10**20)]
)
def test_a_threshold_may_be_any_integer(value, number):
    assert level_number(value) == number


@pytest.mark.parametrize(
    "value", [True, None, "", "loud", 2.5, "2.5", float("inf"), [], "9" * 5000, "--5", "1_0"]
)
def test_a_threshold_is_not_read_from_anything_else(value):
    assert level_number(value) is None


@pytest.mark.parametrize(
    ("number", "level"), [(-1, "NOTSET"), (9, "NOTSET"), (25, "INFO"), (40, "ERROR"), (999, "CRITICAL")]
)
def test_a_number_between_levels_belongs_to_the_one_below(number, level):
    assert EventLogLevel.at_or_below(number) is EventLogLevel[level]
