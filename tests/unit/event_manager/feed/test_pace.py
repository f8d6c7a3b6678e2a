"""Who follows leaves the writer nearly all of the time, and goes on nevertheless."""

from __future__ import annotations

import pytest

from madsci.event_manager.feed.pace import LONGEST_REST, Pace


class Computing:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_rest_is_many_times_as_long_as_the_step_before_it_and_no_other():
    computing = Computing()
    pace = Pace(computing)
    for seconds in (0.002, 0.004):
        pace.begin()
        computing.seconds += seconds
        assert pace.rest() == pytest.approx(19 * seconds)


def test_also_after_much_work_it_goes_on_soon():
    computing = Computing()
    pace = Pace(computing)
    pace.begin()
    computing.seconds += 10
    assert pace.rest() == LONGEST_REST
