"""Figures of labs add up to the microsecond, whatever was told, left out, or told in disorder."""

from __future__ import annotations

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.metrics.actions import ended_actions
from madsci.event_manager.analytics.metrics.attribution import all_attribution, node_attribution
from madsci.event_manager.analytics.metrics.counting import length
from madsci.event_manager.analytics.metrics.failures import Cause, downtimes, failures_of
from madsci.event_manager.analytics.metrics.flow import ended_workflows
from madsci.event_manager.analytics.metrics.humans import interventions_of, without_humans
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.metrics.methods import methods_text
from madsci.event_manager.analytics.metrics.states import State, all_sums, node_states, session_times
from madsci.event_manager.analytics.metrics.table import lab_csv
from madsci.event_manager.analytics.runs import Run
from support.lab_life import lived, told

instants = st.integers(0, 60)
abouts = st.fixed_dictionaries(
    {},
    optional={
        "node": st.sampled_from(["n", "m"]),
        "workflow": st.sampled_from(["w", "v"]),
        "experiment": st.sampled_from(["x", "y"]),
        "campaign": st.just("c"),
        "user": st.sampled_from(["ann", "bob"]),
        "workcell": st.sampled_from(["cell", "hall"]),
        "name": st.sampled_from(["mix", "heat"]),
    },
)
ids = {
    Thing.SESSION: ["lab", "cell"], Thing.NODE: ["n", "m"], Thing.EXPERIMENT: ["x", "y"],
    Thing.WORKFLOW: ["w", "v"], Thing.STEP: ["s", "t"], Thing.ACTION: list("abcdefgh"),
}  # fmt: skip


@st.composite
def a_mark(draw):
    thing = draw(st.sampled_from(list(ids)))
    about = draw(abouts)
    if thing is Thing.SESSION:
        about["kind"] = draw(st.sampled_from(["lab", "workcell"]))
    outcome = draw(st.sampled_from([None, *Outcome]))
    return Mark(
        draw(instants), thing, draw(st.sampled_from(Phase)), draw(st.sampled_from(ids[thing])), about,
        outcome,
    )  # fmt: skip


windows = st.tuples(instants, instants).map(sorted).map(tuple)
lives = st.builds(told, st.lists(a_mark(), max_size=40), windows)


@st.composite
def an_action(draw):
    """Any run of an action: ends before its beginning is all that there is not."""
    begin, last, end = sorted(draw(st.tuples(instants, instants, instants)))
    kind = draw(st.sampled_from(["whole", "only end", "cut", "goes on"]))
    return Run(
        Thing.ACTION,
        str(draw(st.integers(0, 9))),
        None if kind == "only end" else begin,
        end if kind in {"whole", "only end"} else None,
        end if kind == "cut" else None,
        last if kind in {"cut", "goes on"} else None,
        about=draw(abouts),
    )


works = st.builds(lived, st.lists(an_action(), max_size=20), windows)


@given(st.one_of(lives, works), instants)
def test_states_and_the_unknown_share_nothing_and_are_the_window(timelines, until):
    window = Intervals.of([timelines.window])
    for one in node_states(timelines, until).values():
        states = list(one.times.values())
        assert Intervals.of(span for times in states for span in times) == window
        assert sum(times.total for times in states) == window.total == one.sums.total
        assert one.times[State.PRODUCTIVE] == one.node.busy.known
        edges = [edge for span, _ in one.timeline() for edge in span]
        assert edges == sorted(edges)


@given(st.one_of(lives, works))
def test_what_is_unknown_is_in_no_state_and_utilization_is_between_its_bounds(timelines):
    nodes = node_states(timelines, timelines.window[1])
    for one in nodes.values():
        assert not one.times[State.STANDBY] & one.node.busy.unknown
        sums, rest = one.sums, (State.NON_SCHEDULED, State.UNKNOWN)
        assert sums.operations + sum(sums.times[state] for state in rest) == sums.total
    sums = all_sums(nodes)
    for share in (sums.operational_utilization, sums.total_utilization):
        if share is not None:
            assert 0 <= share.low <= share.high <= 1
            assert share.value is None or share.low <= share.value <= share.high


@given(st.one_of(lives, works))
def test_time_by_whom_it_was_for_adds_up_to_busy_time(timelines):
    nodes = node_attribution(timelines)
    for one in (*nodes.values(), all_attribution(nodes)):
        assert sum(one.owned.values()) == one.busy
        for name in ("user", "experiment", "campaign"):
            parts = one.by(name)
            assert sum(parts.values()) == one.busy
            assert min(parts.values()) >= 0
    busy = sum(node.busy.known.total for node in timelines.nodes.values())
    assert all_attribution(nodes).busy == busy


@given(lives)
def test_downtimes_of_faults_add_up_to_unscheduled_downtime(timelines):
    nodes = node_states(timelines, timelines.window[1])
    failures = failures_of(timelines)
    down = downtimes(failures, nodes)
    unscheduled = sum(one.times[State.UNSCHEDULED_DOWN].total for one in nodes.values())
    assert sum(times.total for times in down.values()) == unscheduled
    assert all(one.cause is Cause.FAULT for one in down)


@given(lives, instants)
def test_stretches_without_humans_are_all_session_time(timelines, until):
    until = max(timelines.window[0], min(until, timelines.window[1]))
    completions = ended_actions(timelines).completions
    people = without_humans(timelines, failures_of(timelines), completions, until)
    stretches = [one.span for one in people.stretches]
    assert sum(map(length, stretches)) == session_times(timelines, until).total
    assert sum(one.commands for one in people.stretches) <= len(completions)
    cuts = {one.at for one in people.interventions}
    assert not any(begin < at < end for begin, end in stretches for at in cuts)


@given(st.lists(a_mark(), max_size=30), windows, st.integers(0, 1_000))
def test_the_order_in_which_events_came_changes_nothing(marks, window, seed):
    shuffled = list(marks)
    random.Random(seed).shuffle(shuffled)
    one, other = (lab_metrics(told(some, window), 60, {}) for some in (marks, shuffled))
    assert one == other


@given(st.one_of(lives, works), instants)
def test_each_document_is_json_a_table_and_a_text(timelines, now):
    document = lab_metrics(timelines, now, {"a": "b"})
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again == document
    assert lab_csv(again) == lab_csv(document)
    assert "None" not in methods_text(again)


@given(st.lists(an_action(), max_size=20), st.tuples(instants, instants, instants).map(sorted))
def test_each_completed_action_counts_in_one_of_windows_that_meet(runs, edges):
    def counted(begin, end):
        timelines = lived(runs, (begin, end))
        return len(ended_actions(timelines).completions)

    first, middle, last = edges
    assert counted(first, middle) + counted(middle, last) == counted(first, last)


@given(st.lists(a_mark(), max_size=40), st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_what_happened_counts_once_in_windows_that_meet(marks, edges):
    begin, middle, end = edges
    whole, *parts = (
        _counts(told(marks, window)) for window in ((begin, end), (begin, middle), (middle, end))
    )
    assert whole == sum(parts, Counter())


def _counts(timelines):
    """What happened in a window, how often, and what failed actions took of it."""
    failures = failures_of(timelines)
    found = Counter(one.cause for one in failures if one.counts_in(timelines.window))
    found.update(one[:2] for one in interventions_of(timelines, failures))
    for name, ended in ended_actions(timelines).groups.items():
        found.update({(name, kind): getattr(ended, kind) for kind in ("completed", "failed", "other")})
    found.update((one.id, one.outcome) for one in ended_workflows(timelines))
    workflows = (run for run in timelines.workflows if run.begin in {None, run.end})
    found.update((run.id, run.begin, run.end) for run in workflows)
    experiments = (one.run for one in timelines.experiments if one.run.begin == one.run.end)
    found.update((run.id, run.begin) for run in experiments)
    for name, failing in ended_actions(timelines).failing.items():
        found[name, "lost"] = failing.lost
    return +found
