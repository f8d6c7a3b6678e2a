"""What nodes did in a session: five times that share nothing and together are the session."""

from __future__ import annotations

import pytest

from madsci.event_manager.analytics.reports.sessions import sessions_report
from support.lab_story import action, at, experiment, lines_of, node_up, session, told


def nodes_of(events, end="24:00"):
    report = sessions_report(lines_of(events, "00:00", end), at("2025-02-01T00:00:00"))
    (found,) = report["session_details"]
    return found["node_utilizations"]


def hours_of(events, end="24:00") -> dict[str, float]:
    (found,) = nodes_of([*session("06:00", "10:00"), *events], end).values()
    hours = found["raw_hours"]
    parts = ("busy", "idle", "error", "inactive", "unknown")
    assert sum(hours[name] for name in parts) == pytest.approx(hours["total"])
    assert hours["total"] == 4.0
    return {name: hours[name] for name in parts if hours[name]}


def test_a_node_is_inactive_before_its_start_and_after_its_stop():
    events = [*node_up("07:00", "09:00"), *action("07:30", "08:00")]
    assert hours_of(events) == {"busy": 0.5, "idle": 1.5, "inactive": 2.0}


def test_a_node_that_was_started_before_the_session_is_up_from_its_beginning():
    assert hours_of([*node_up("03:00", "09:00")]) == {"idle": 3.0, "inactive": 1.0}


def test_a_node_that_never_said_when_it_was_up_is_so_for_the_whole_session():
    assert hours_of([*action("07:30", "08:00")]) == {"busy": 0.5, "idle": 3.5}


def test_actions_beside_each_other_are_one_time_of_the_node():
    events = [*node_up("06:00", "10:00"), *action("07:00", "08:00", id_="a")]
    events += action("07:30", "09:00", id_="b")
    assert hours_of(events) == {"busy": 2.0, "idle": 2.0}


def test_an_action_that_is_told_twice_is_one():
    events = [*node_up("06:00", "10:00"), *action("07:00", "08:00", id_="a")]
    events += action("07:05", "08:05", id_="a")
    assert hours_of(events) == {"busy": 1.0, "idle": 3.0}


def test_after_an_error_a_node_is_at_fault_until_it_is_well():
    events = [
        *node_up("06:00", "10:00"),
        told("07:00", "node_error", node_id="n"),
        told("08:30", "node_status_update", {"status": "ready"}, node_id="n"),
    ]
    assert hours_of(events) == {"idle": 2.5, "error": 1.5}


def test_the_next_action_shows_that_a_node_is_well():
    events = [told("07:00", "node_error", node_id="n"), *action("08:00", "09:00")]
    events += node_up("06:00", "10:00")
    assert hours_of(events) == {"busy": 1.0, "idle": 2.0, "error": 1.0}


def test_an_action_without_an_end_is_unknown_and_not_idle():
    assert hours_of([*node_up("06:00", "10:00"), *action("07:00", None)]) == {
        "idle": 1.0, "unknown": 3.0
    }  # fmt: skip


def test_a_stop_of_the_node_ends_what_it_did_at_the_latest():
    assert hours_of([*node_up("06:00", "09:00"), *action("07:00", None)]) == {
        "idle": 1.0, "unknown": 2.0, "inactive": 1.0
    }  # fmt: skip


def test_a_node_that_stopped_without_a_word_is_unknown_after_its_last_sign_of_life():
    events = [*node_up("06:00", None), *action("07:00", "08:00")]
    assert hours_of(events) == {"busy": 1.0, "idle": 1.0, "unknown": 2.0}


def test_utilization_is_the_share_of_the_time_in_which_it_was_up():
    events = [*session("06:00", "10:00"), *node_up("07:00", "09:00"), *action("07:30", "08:00")]
    assert nodes_of(events)["n"]["utilization_percent"] == 25.0


def test_what_is_unknown_counts_neither_as_up_nor_as_idle():
    events = [*session("06:00", "10:00"), *node_up("06:00", None), *action("07:00", "08:00")]
    assert nodes_of(events)["n"]["utilization_percent"] == 50.0


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([*node_up("06:00", "09:00")], "inactive"),
        ([*node_up("06:00", "10:00"), *action("08:00", "10:00")], "busy"),
        ([*node_up("06:00", "11:30"), *action("08:00", "11:00")], "busy"),
        ([*node_up("06:00", None), *action("08:00", None)], "busy"),
        ([*node_up("06:00", "10:00"), told("08:00", "node_error", node_id="n")], "error"),
        ([*node_up("06:00", "10:00"), *action("08:00", "09:00")], "idle"),
        ([*node_up("06:00", None), *action("08:00", "09:00")], "unknown"),
        pytest.param([*action("08:00", "09:00")], "idle"),
        pytest.param([*node_up("06:00", "10:00"), *action("08:00", None)], "unknown"),
        pytest.param([*node_up("06:00", None), *action("11:00", None)], "idle"),
    ],
)
def test_the_state_is_that_at_the_end_of_the_session(events, expected):
    found = nodes_of([*session("06:00", "10:00"), *events], "12:00")
    assert found["n"]["state"] == expected


def test_a_node_that_did_nothing_in_a_session_and_was_not_up_is_not_in_it():
    events = [*session("06:00", "10:00"), *action("11:00", "12:00"), *node_up("02:00", "03:00", "m")]
    assert nodes_of(events) == {}


def test_a_node_without_a_name_is_called_by_the_end_of_its_id():
    found = nodes_of([*session("06:00", "10:00"), *action("07:00", "08:00", "01ABCDEFGH12345678")])
    (node,) = found.values()
    assert node["node_name"] is None
    assert node["display_name"] == "Node 12345678"


def test_a_workcell_is_no_node():
    events = [*session("06:00", "10:00"), *experiment("06:00", "07:00", workcell_id="W")]
    assert nodes_of(events) == {}


def test_a_day_of_hundreds_of_actions_adds_up():
    events = [*session("06:00", "10:00"), *node_up("05:59", "10:00")]
    for minute in range(240):
        hour, rest = divmod(minute, 60)
        events += action(
            f"{6 + hour:02d}:{rest:02d}:00", f"{6 + hour:02d}:{rest:02d}:20", id_=f"{minute}"
        )
    (node,) = nodes_of(events).values()
    assert node["timing"]["busy_time"]["seconds"] == 4800.0
    assert node["utilization_percent"] == 33.3


def test_an_action_that_begins_at_the_instant_of_its_node_is_of_this_start():
    events = [*node_up("06:00", "10:00"), *action("06:00", "07:00")]
    assert hours_of(events) == {"busy": 1.0, "idle": 3.0}
