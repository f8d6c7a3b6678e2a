"""The time of a question."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.model.budget import UNLIMITED, Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes only when it is told to."""
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])

    def go(seconds: float) -> None:
        moment[0] += timedelta(seconds=seconds).total_seconds()

    return go


def test_a_budget_is_used_up_after_its_time(clock):
    budget = Budget(2.5)
    assert budget.left == 2.5
    assert not budget.is_over
    budget.check()
    clock(2)
    assert budget.left == 0.5
    budget.check()
    clock(1)
    assert budget.left == -0.5
    assert budget.is_over


def test_a_question_beyond_its_budget_is_told_how_long_it_had(clock):
    budget = Budget(0.25)
    clock(1)
    with pytest.raises(QueryTimeoutError, match=r"stopped after 0\.25 s"):
        budget.check()


def test_each_budget_begins_when_it_is_made(clock):
    first = Budget(1)
    clock(0.75)
    second = Budget(1)
    clock(0.5)
    assert first.is_over
    assert not second.is_over


def test_no_budget_never_ends(clock):
    clock(10**12)
    assert not UNLIMITED.is_over
    assert UNLIMITED.left == float("inf")
    UNLIMITED.check()
