"""A simulated life is one that a lab could have had, and the same one for the same plan."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from madsci.common.clock import from_us
from madsci.common.errors import SettingsError
from madsci.common.ids import is_ulid
from madsci.demo.lab import NEVER, LabPlan, Shifts
from madsci.demo.life import simulate
from madsci.demo.shifts import LATE_BEGIN, shifts_of, window_of
from madsci.demo.truth import Truth

QUIET = {"fault_every": NEVER, "crash_every": NEVER, "action_failure": 0.0, "workflows_per_hour": 1.0}


def disjoint(spans):
    """Whether spans are in order, none empty, none overlapping the next."""
    return all(begin < end for begin, end in spans) and all(
        before[1] <= after[0] for before, after in itertools.pairwise(spans)
    )


def within(span, others):
    return any(begin <= span[0] and span[1] <= end for begin, end in others)


def by_id(things):
    return {thing.id: thing for thing in things}


def test_the_same_plan_gives_the_same_life_and_another_seed_another_one(life, plan):
    assert simulate(plan) == life
    other = simulate(replace(plan, seed=8))
    assert other.truth != life.truth
    assert not by_id(other.truth.actions).keys() & by_id(life.truth.actions).keys()


def test_everything_that_may_happen_does(truth):
    assert {one.outcome for one in truth.actions} == {"completed", "failed", "unknown"}
    assert {one.outcome for one in truth.workflows} == {"completed", "failed", "cancelled"}
    assert {one.outcome for one in truth.experiments} >= {"completed", "failed"}
    assert any(one.paused for one in truth.experiments)
    assert all(node.busy for node in truth.nodes)
    assert any(node.faults for node in truth.nodes)
    assert any(node.crashes for node in truth.nodes)


def test_happenings_are_in_the_order_of_time_within_the_window_with_ids_of_their_own(life):
    instants = [one.at for one in life.happenings]
    assert instants == sorted(instants)
    begin, end = life.truth.window
    assert begin < instants[0] < instants[-1] < end
    ids = [one.event_id for one in life.happenings]
    assert len(set(ids)) == len(ids)
    assert all(map(is_ulid, ids))


def test_the_lab_comes_up_first_and_goes_down_last(life):
    assert life.happenings[0].event_type == "lab_start"
    assert life.happenings[-1].event_type == "lab_stop"


def test_a_node_is_busy_or_faulty_only_while_it_is_up_and_never_both(truth):
    for node in truth.nodes:
        assert disjoint(node.up)
        assert disjoint(sorted((*node.busy, *node.faults)))
        assert all(within(span, node.up) for span in (*node.busy, *node.faults))
        assert disjoint(sorted((*node.up, *node.crashes)))
        busy = [(one.begin, one.end) for one in truth.actions if one.node == node.id]
        assert busy == list(node.busy)


def test_an_action_under_way_when_its_node_breaks_ends_there(truth):
    nodes = by_id(truth.nodes)
    cut = [one for one in truth.actions if not one.told_end]
    assert cut
    for action in cut:
        assert action.outcome == "unknown"
        assert action.end in {crashed for crashed, _ in nodes[action.node].crashes}
    failed = {(one.node, one.end) for one in truth.actions if one.outcome == "failed"}
    assert any((node.id, begin) in failed for node in truth.nodes for begin, _ in node.faults)


def test_a_step_whose_node_has_crashed_fails_when_the_node_is_back(truth):
    crashes = {(node.id, crashed): back for node in truth.nodes for crashed, back in node.crashes}
    steps = {(one.node, one.workflow, one.begin): one for one in truth.steps}
    for action in truth.actions:
        if action.outcome == "unknown":
            key = max(
                key
                for key in steps
                if key[:2] == (action.node, action.workflow) and key[2] <= action.begin
            )
            assert steps[key].outcome == "failed"
            assert steps[key].end > crashes[action.node, action.end]


def test_each_thing_lies_within_what_it_is_part_of(truth):
    workflows, experiments = by_id(truth.workflows), by_id(truth.experiments)
    sessions = {}
    for one in truth.sessions:
        sessions.setdefault(one.id, []).append((one.begin, one.end))
    for step in truth.steps:
        workflow = workflows[step.workflow]
        assert within((step.begin, step.end), [(workflow.begin, workflow.end)])
    for workflow in truth.workflows:
        experiment = experiments[workflow.experiment]
        assert workflow.begin is None or workflow.queued < workflow.begin
        assert within((workflow.queued, workflow.end), [(experiment.begin, experiment.end)])
        assert within((workflow.queued, workflow.end), sessions[workflow.workcell])
    for node in truth.nodes:
        assert all(within(span, sessions[node.workcell]) for span in node.up)
    for experiment in truth.experiments:
        assert disjoint(experiment.paused)
        span = (experiment.begin, experiment.end)
        assert all(within(pause, [span]) for pause in experiment.paused)
    lab = next(one for one in truth.sessions if one.kind == "lab")
    assert all(within((one.begin, one.end), [(lab.begin, lab.end)]) for one in truth.sessions)


def test_steps_of_a_workflow_and_workflows_of_an_experiment_come_one_after_the_other(truth):
    for things, whole in ((truth.steps, "workflow"), (truth.workflows, "experiment")):
        spans = {}
        for one in things:
            begin = one.begin if whole == "workflow" else one.queued
            spans.setdefault(getattr(one, whole), []).append((begin, one.end))
        assert all(disjoint(of_one) for of_one in spans.values())


def test_workflows_wait_for_nodes_that_others_use(truth):
    """Queueing is real: some begin a step right when another workflow has left the node."""
    left = {(step.node, step.end): step.workflow for step in truth.steps}
    waited = [
        step
        for step in truth.steps
        if left.get((step.node, step.begin), step.workflow) != step.workflow
    ]
    assert len(waited) > 10


def told(life, name):
    """The happenings of each thing, by its id."""
    found = {}
    for one in life.happenings:
        own = one.data.get(name) or one.source.get(name)
        if own is not None:
            found.setdefault(own, []).append(one)
    return found


def test_every_action_is_told_as_it_was(life, truth):
    of_action = told(life, "action_id")
    assert of_action.keys() == by_id(truth.actions).keys()
    for action in truth.actions:
        begin, *ends = of_action[action.id]
        assert begin.at == action.begin
        assert [one.at for one in ends] == ([action.end] if action.told_end else [])
        assert begin.data["action_name"] == action.name
        whose = {
            "node_id": action.node, "workcell_id": action.workcell, "workflow_id": action.workflow,
            "experiment_id": action.experiment, "campaign_id": action.campaign, "user_id": action.user,
        }  # fmt: skip
        assert all(one.source == whose for one in of_action[action.id])
        assert all(one.ended_id() == action.id for one in ends)
        for one in ends:
            said = one.data.get("status", one.event_type.value)
            assert said in (action.outcome, f"action_{action.outcome}".replace("completed", "complete"))


def test_half_of_the_workcells_tell_actions_in_the_older_way(life):
    kinds = {}
    for one in life.happenings:
        if "action_id" in one.data:
            kinds.setdefault(one.source["workcell_id"], set()).add(one.event_type.value)
    assert sorted(map(sorted, kinds.values())) == [
        ["action_complete", "action_failed", "action_start"],
        ["action_status_change"],
    ]


def test_steps_workflows_and_experiments_are_told_as_they_were(life, truth):
    for name, things in (
        ("step_id", truth.steps),
        ("workflow_id", truth.workflows),
        ("experiment_id", truth.experiments),
    ):
        ends = {one.ended_id(): one.at for one in life.happenings if one.ended_id() is not None}
        begins = Counter((one.source[name], one.at) for one in life.happenings if name in one.source)
        for thing in things:
            assert ends[thing.id] == thing.end
            assert (thing.id, thing.begin) in begins or thing.begin is None


def test_nothing_is_told_by_a_node_that_has_crashed(life, truth):
    down = {node.id: node.crashes for node in truth.nodes}
    for one in life.happenings:
        for crashed, back in down.get(one.source.get("node_id"), ()):
            assert not crashed <= one.at < back


def test_a_fault_is_told_when_it_comes_and_when_it_is_repaired(life, truth):
    said = {
        (one.source["node_id"], one.at): one
        for one in life.happenings
        if one.event_type in ("node_error", "node_status_update")
    }
    spans = [(node.id, span) for node in truth.nodes for span in node.faults]
    assert len(said) == 2 * len(spans)
    for node, (begin, end) in spans:
        assert said[node, begin].data["error"]
        assert said[node, end].data["status"] == "ready"


def test_an_event_is_what_the_server_takes(life):
    event = life.happenings[0].as_event()
    assert list(event) == [
        "event_id", "event_type", "event_timestamp", "log_level", "source", "event_data",
    ]  # fmt: skip
    assert event["event_type"] == "lab_start"
    assert event["event_timestamp"].endswith("+00:00")
    assert datetime.fromisoformat(event["event_timestamp"]) == from_us(life.happenings[0].at)
    assert event["source"]["manager_id"]


@pytest.mark.parametrize("day", ["2026-03-27", "2026-10-23"])
def test_shifts_begin_at_the_same_time_of_the_wall_clock_when_clocks_are_set(day):
    berlin = ZoneInfo("Europe/Berlin")
    shifts = (Shifts(weekdays=(0, 4)),)
    plan = LabPlan(
        begin=datetime.fromisoformat(day).replace(tzinfo=berlin),
        days=4,
        shifts=shifts,
        workcells=1,
        **QUIET,
    )
    friday, following = shifts_of(plan)
    assert following.begin - friday.begin != 3 * 86_400_000_000
    for shift in (friday, following):
        assert from_us(shift.begin).astimezone(berlin).time() == time(7)
    assert from_us(friday.closing).astimezone(berlin).time() == time(2)
    workcells = [one for one in simulate(plan).truth.sessions if one.kind == "workcell"]
    assert [0 <= one.begin - shift.begin <= LATE_BEGIN for one, shift in zip(
        workcells, (friday, following), strict=True
    )] == [True, True]  # fmt: skip


def test_work_spans_midnight_and_there_is_none_on_weekends():
    plan = LabPlan(begin=datetime(2026, 3, 6, tzinfo=timezone.utc), days=4, zone="UTC", **QUIET)
    sessions = [one for one in simulate(plan).truth.sessions if one.kind == "workcell"]
    days = [(from_us(one.begin).isoweekday(), from_us(one.end).isoweekday()) for one in sessions]
    assert days == [(5, 5), (5, 5), (5, 6), (5, 6), (1, 1), (1, 1)]  # the window cuts both ends


def test_shifts_that_would_overlap_are_cut_where_the_next_one_begins():
    every_day = tuple(range(7))
    shifts = (Shifts(time(6), time(6), every_day), Shifts(time(18), time(20), every_day))
    plan = LabPlan(days=3, shifts=shifts, **QUIET)
    planned = shifts_of(plan)
    assert len(planned) == 6 + 1
    assert all(
        before.closing <= before.stop < after.begin for before, after in itertools.pairwise(planned)
    )
    begin, end = window_of(plan)
    assert begin < planned[0].begin
    assert planned[-1].stop < end


def test_without_faults_and_failures_nodes_never_fail(truth):
    quiet = simulate(LabPlan(days=1, **QUIET)).truth
    assert {one.outcome for one in quiet.actions} <= {"completed"}
    assert not any(node.faults or node.crashes for node in quiet.nodes)


def test_a_lab_may_have_any_number_of_workcells_and_nodes_with_names_of_their_own():
    one = simulate(LabPlan(days=1, workcells=1, nodes_per_workcell=1)).truth
    assert len(one.nodes) == 1
    assert one.actions
    many = simulate(LabPlan(days=1, workcells=5, nodes_per_workcell=8, workflows_per_hour=0.5)).truth
    assert len({node.name for node in many.nodes}) == 40
    assert len({node.id for node in many.nodes}) == 40


def test_the_truth_is_the_same_after_a_way_through_json(truth):
    assert Truth.from_json(truth.to_json()) == truth


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"days": 0}, "days"),
        ({"begin": datetime.fromisoformat("2026-03-02")}, "offset"),
        ({"action_failure": 1.5}, "action_failure"),
        ({"repair": timedelta(0)}, "repair"),
        ({"users": ()}, "user"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        LabPlan(**wrong)


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(SettingsError, match="Atlantis"):
        LabPlan(zone="Europe/Atlantis")
