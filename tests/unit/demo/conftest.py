from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from madsci.demo.lab import LabPlan
from madsci.demo.life import simulate

TROUBLED = LabPlan(
    seed=7,
    begin=datetime(2026, 3, 3, tzinfo=timezone.utc),
    days=2,
    action_failure=0.03,
    fault_every=timedelta(hours=4),
    crash_every=timedelta(hours=3),
)
"""Two days in which everything happens that may: work over midnight, failures, faults and crashes."""


@pytest.fixture(scope="session")
def life():
    return simulate(TROUBLED)


@pytest.fixture(scope="session")
def truth(life):
    return life.truth


@pytest.fixture
def plan():
    return TROUBLED
