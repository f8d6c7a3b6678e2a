from __future__ import annotations

import pytest

from madsci.common.lengths import MAX_SECONDS, duration, read_length

SECOND = 1_000_000
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5_400), ("2d", 172_800), (" 1.5H ", 5_400), (0.5, 0.5)]
)
def test_lengths_are_read_as_people_write_them(text, seconds):
    assert read_length(text) == seconds


@pytest.mark.parametrize(
    "value", ["", "m", "5 parsecs", "1h-5m", None, True, 0, -1, "0s", MAX_SECONDS + 1]
)
def test_what_is_no_length_or_too_long_is_refused(value):
    with pytest.raises(ValueError, match="it should be a time"):
        read_length(value)


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (0, "less than a second"),
        (999_999, "less than a second"),
        (59 * SECOND, "59 s"),
        (-61 * SECOND, "1 min 1 s"),
        (3_600 * SECOND, "1 h"),
        (3_661 * SECOND, "1 h 1 min"),
        (DAY + 3 * SECOND, "1 d"),
        (DAY + 7_200 * SECOND + 5, "1 d 2 h"),
        (3_660 * DAY, "3,660 d"),
    ],
)
def test_a_length_is_said_in_its_two_largest_units(microseconds, words):
    assert duration(microseconds) == words
