"""Steps of the clock are noticed, and said in words."""

from __future__ import annotations

import pytest

from madsci.event_manager.tasks.clock_watch import ClockWatch

SECOND = 1_000_000
DAY = 86_400 * SECOND


class Machine:
    def __init__(self) -> None:
        self.clock = 1_800_000_000 * SECOND
        self.passed = 5.0

    def go_on(self, seconds: float) -> None:
        self.clock += int(seconds * SECOND)
        self.passed += seconds


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def watch(machine):
    return ClockWatch(lambda: machine.clock, lambda: machine.passed)


def test_a_clock_that_goes_on_as_time_does_was_not_set(machine, watch):
    for seconds in (0, 0.5, 3600, 1e8):
        machine.go_on(seconds)
        assert watch.step() == 0


@pytest.mark.parametrize("step", [10 * SECOND, DAY, 3660 * DAY, -10 * SECOND, -DAY, -3660 * DAY])
def test_a_step_is_told_once_with_its_size(machine, watch, step):
    machine.go_on(2)
    machine.clock += step
    assert watch.step() == step
    machine.go_on(2)
    assert watch.step() == 0


def test_what_keeps_clocks_right_is_no_step(machine, watch):
    for _ in range(100):
        machine.go_on(2)
        machine.clock += SECOND // 2
        assert watch.step() == 0
