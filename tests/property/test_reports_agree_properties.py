"""The reports about sessions, periods and the lab agree about each node, whatever was told of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.analytics.asked import UTC_CLOCK
from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.lives import node_lives
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.reports.sessions import sessions_report
from madsci.event_manager.analytics.spans import HOUR
from support.lab_life import told

SECOND = 1_000_000
LAST = HOUR // SECOND
seconds = st.integers(0, 60).map(lambda number: number * LAST // 60)
"""So that ten minutes, for which it is known what was over, are some of them."""
workcells = st.sampled_from([None, "W", "V", "U"])
outcomes = st.sampled_from([None, *Outcome])


@st.composite
def a_mark_of_a_node(draw):
    thing = draw(st.sampled_from([Thing.NODE, Thing.ACTION]))
    node = draw(st.sampled_from(["n", "m"]))
    phases = [Phase.BEGIN, Phase.END]
    if thing is Thing.NODE:
        phases += [Phase.FAULT, Phase.CLEAR]
    about = {"node": node}
    if workcell := draw(workcells):
        about["workcell"] = workcell
    id_ = node if thing is Thing.NODE else draw(st.sampled_from("abcde"))
    at = draw(seconds) * SECOND
    return Mark(at, thing, draw(st.sampled_from(phases)), id_, about, draw(outcomes))


@st.composite
def a_mark_of_a_session(draw):
    kind, id_ = draw(st.sampled_from([("lab", "L"), ("workcell", "W"), ("workcell", "V")]))
    phase = draw(st.sampled_from([Phase.BEGIN, Phase.END]))
    return Mark(draw(seconds) * SECOND, Thing.SESSION, phase, id_, {"kind": kind}, None)


always_on = st.just([Mark(0, Thing.SESSION, Phase.BEGIN, "L", {"kind": "lab"}, None)])
of_nodes = st.lists(a_mark_of_a_node(), max_size=20)
windows = st.tuples(seconds, seconds).map(lambda two: (min(two) * SECOND, max(two) * SECOND + SECOND))
signs = st.dictionaries(st.sampled_from(["n", "m"]), st.integers(0, 2**60 - 1))


def about(**figures: float) -> dict[str, object]:
    """Figures in seconds, of which metrics have hours with nine digits."""
    return {name: pytest.approx(value, abs=1e-4) for name, value in figures.items()}


def figures_of_the_lab(lines):
    """What nodes did by the metrics, in seconds: those that have an answer in other reports."""
    for one in lab_metrics(lines, lines.window[1], {})["nodes"]:
        time = {name: 3600 * hours for name, hours in one.items() if name.endswith("_hours")}
        yield one["node"], time


@given(of_nodes, always_on, windows, signs)
def test_over_one_session_that_covers_all_they_say_the_same_of_a_node(marks, on, window, seen):
    lines = told([*marks, *on], window, seen)
    (session,) = sessions_report(lines, window[1])["session_details"]
    periods = periods_report(lines, Length.HOURLY, UTC_CLOCK, window[1])["node_summary"]
    for node, lab in figures_of_the_lab(lines):
        whole = (window[1] - window[0]) / SECOND
        down = lab["scheduled_down_hours"] + lab["unscheduled_down_hours"]
        up = periods[node]["total_up_seconds"]
        assert about(
            busy=lab["productive_hours"], unknown=lab["unknown_hours"], total=lab["total_hours"]
        ) == {
            "busy": periods[node]["total_busy_seconds"],
            "unknown": periods[node]["total_unknown_seconds"],
            "total": whole,
        }
        if node not in session["node_utilizations"]:
            assert (up, down) == (pytest.approx(lab["standby_hours"]), pytest.approx(whole - up))
            continue
        timing = session["node_utilizations"][node]["timing"]
        time = {name: length["seconds"] for name, length in timing.items()}
        assert (
            about(
                busy_time=lab["productive_hours"],
                idle_time=lab["standby_hours"],
                unknown_time=lab["unknown_hours"],
                error_time=up - lab["productive_hours"] - lab["standby_hours"],
                inactive_time=whole - up - lab["unknown_hours"],
                total_time=whole,
            )
            == time
        )
        assert time["error_time"] <= lab["unscheduled_down_hours"] + 1e-4
        assert time["error_time"] + time["inactive_time"] == pytest.approx(down, abs=1e-4)
        assert lab["non_scheduled_hours"] == 0


@given(of_nodes, st.lists(a_mark_of_a_session(), max_size=8), windows, signs)
def test_whatever_sessions_there_were_periods_and_metrics_say_the_same_of_a_node(
    marks, sessions, window, seen
):
    lines = told([*marks, *sessions], window, seen)
    periods = periods_report(lines, Length.HOURLY, UTC_CLOCK, window[1])["node_summary"]
    summary = sessions_report(lines, window[1])["overall_summary"]["node_summary"]
    found = dict(figures_of_the_lab(lines))
    assert set(summary) <= set(found) == set(periods)
    for node, lab in found.items():
        figures = periods[node]
        assert about(busy=lab["productive_hours"], unknown=lab["unknown_hours"]) == {
            "busy": figures["total_busy_seconds"],
            "unknown": figures["total_unknown_seconds"],
        }
        fault = figures["total_up_seconds"] - lab["productive_hours"] - lab["standby_hours"]
        assert -1e-4 <= fault <= lab["unscheduled_down_hours"] + 1e-4
        if node in summary:
            assert summary[node]["total_busy_time_seconds"] <= figures["total_busy_seconds"]


@given(of_nodes, st.lists(a_mark_of_a_session(), max_size=8), windows, signs)
def test_the_parts_of_a_life_share_nothing_and_are_the_window(marks, sessions, window, seen):
    lines = told([*marks, *sessions], window, seen)
    for life in node_lives(lines).values():
        parts = (life.busy, life.error, life.unknown, life.idle, life.inactive)
        assert Intervals.union(parts) == Intervals.of([window])
        assert sum(part.total for part in parts) == window[1] - window[0]
        assert life.up(window) == Intervals.union((life.busy, life.error, life.idle))
        if not life.node.says_when_up:
            assert not life.idle - life.sessions


@given(of_nodes, st.lists(a_mark_of_a_session(), max_size=8), st.tuples(seconds, seconds, seconds))
def test_runtime_of_windows_that_meet_adds_up(marks, sessions, three):
    first, middle, last = sorted({one * SECOND for one in three} | {0, SECOND, HOUR})[-3:]

    def runtime(begin: int, end: int) -> float:
        lines = told([*marks, *sessions], (begin, end))
        report = periods_report(lines, Length.HOURLY, UTC_CLOCK, end)
        found = report["key_metrics"]["total_runtime_seconds"]
        lab = lab_metrics(lines, end, {})["window"]["session_hours"]
        assert lab * 3600 == pytest.approx(found, abs=1e-4)
        return found

    assert runtime(first, middle) + runtime(middle, last) == pytest.approx(runtime(first, last))
