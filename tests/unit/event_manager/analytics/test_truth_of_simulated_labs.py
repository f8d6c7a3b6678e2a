"""Whatever comes late, twice or never: what is told is so, and what is not known is told as unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from madsci.common.clock import UTC
from madsci.demo.lab import NEVER, LabPlan, Shifts
from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.reports.sessions import sessions_report
from support.judging import Case, concluded, contradictions

CALM = LabPlan(days=2, workflows_per_hour=3.0, fault_every=NEVER, crash_every=NEVER)
ROUGH = LabPlan(
    days=2, workflows_per_hour=3.0, fault_every=timedelta(hours=8), crash_every=timedelta(hours=10)
)
DISTURBED = {"late": 0.01, "duplicates": 0.01, "missing_ends": 0.02}
WILD = {"late": 0.3, "duplicates": 0.3, "missing_ends": 0.3}
SHARES = [
    pytest.param({}, id="told", marks=pytest.mark.slow),
    pytest.param(DISTURBED, id="disturbed"),
    pytest.param(WILD, id="wild", marks=pytest.mark.slow),
]
SPRING = datetime(2026, 3, 28, tzinfo=UTC)
"""The day before clocks are set forward in Berlin."""


def known_share(case: Case) -> float:
    """Return how much of what nodes did is told for certain."""
    true = sum(Intervals.of(node.busy).total for node in case.truth.nodes)
    return sum(one.busy.known.total for one in case.lines.nodes.values()) / true


def test_where_all_is_told_nothing_is_unknown(tmp_path):
    case = concluded(tmp_path, CALM)
    assert contradictions(case) == []
    assert not any(one.busy.unknown for one in case.lines.nodes.values())
    assert sum(one.busy.known.total for one in case.lines.nodes.values()) > 0
    assert not case.lines.active().unknown


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize(
    "plan",
    [
        ROUGH,
        replace(ROUGH, seed=2, workcells=3, nodes_per_workcell=2),
        replace(ROUGH, seed=3, begin=SPRING, shifts=(Shifts(time(0), time(23, 59), tuple(range(7))),)),
    ],
    ids=["faults and crashes", "parallel workcells", "clocks set forward"],
)
def test_every_time_is_true_or_unknown(tmp_path, plan, shares):
    case = concluded(tmp_path, plan, **shares)
    assert contradictions(case) == []
    assert known_share(case) > (0.9 if shares is not WILD else 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("shares", SHARES)
def test_every_time_of_two_weeks_is_true_or_unknown(tmp_path, shares):
    """``LabPlan(days=30)`` with other seeds takes a minute each."""
    plan = LabPlan(seed=10, days=14, crash_every=timedelta(hours=60))
    assert contradictions(concluded(tmp_path, plan, **shares)) == []


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/Berlin", "Australia/Lord_Howe"])
def test_periods_of_all_lengths_come_to_the_same(tmp_path, zone):
    plan = replace(ROUGH, begin=SPRING, shifts=(Shifts(time(7), time(2), tuple(range(7))),))
    lines = concluded(tmp_path, plan, **DISTURBED).lines
    sums = set()
    for length in Length:
        report = periods_report(lines, length, ZoneInfo(zone), lines.window[1])
        series = report["time_series"]
        sums.add(
            (
                *(
                    round(sum(row[name] for row in series["system"]) * 1_000_000)
                    for name in ("runtime_seconds", "active_time_seconds", "unknown_time_seconds")
                ),
                *(
                    round(sum(row["busy_seconds"] for row in rows) * 1_000_000)
                    for rows in series["nodes"].values()
                ),
            )
        )
    active, running = lines.active(), lines.running
    busy = [one.busy.known.total for one in lines.nodes.values()]
    used, unknown = (active.known & running).total, (active.unknown & running).total
    assert sums == {(running.total, used, unknown, *busy)}


def test_what_people_used_and_what_is_nobodys_is_what_nodes_were_busy(tmp_path):
    lines = concluded(tmp_path, ROUGH, **DISTURBED).lines
    found = lab_metrics(lines, lines.window[1], {})["attribution"]
    for one in [found["all_nodes"], *found["nodes"]]:
        for whose in ("users", "experiments", "campaigns"):
            total = sum(row["busy_hours"] for row in one[whose])
            assert total == pytest.approx(one["busy_hours"], abs=1e-6)


def test_a_session_is_made_of_what_its_nodes_did(tmp_path):
    lines = concluded(tmp_path, ROUGH, **DISTURBED).lines
    for detail in sessions_report(lines, lines.window[1])["session_details"]:
        for node in detail["node_utilizations"].values():
            parts = ("busy_time", "idle_time", "error_time", "inactive_time", "unknown_time")
            whole = sum(node["timing"][part]["seconds"] for part in parts)
            assert whole == pytest.approx(node["timing"]["total_time"]["seconds"], abs=1e-5)
