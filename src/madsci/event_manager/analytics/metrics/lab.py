"""All figures of a lab in a window as one document, of which tables and texts are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from madsci.common.clock import iso
from madsci.event_manager.analytics.marks import Outcome
from madsci.event_manager.analytics.metrics import shown
from madsci.event_manager.analytics.metrics.actions import EndedActions, ended_actions
from madsci.event_manager.analytics.metrics.attribution import all_attribution, node_attribution
from madsci.event_manager.analytics.metrics.counting import hours, length
from madsci.event_manager.analytics.metrics.definitions import DEFINITIONS
from madsci.event_manager.analytics.metrics.durations import action_figures
from madsci.event_manager.analytics.metrics.estimates import CONFIDENCE_PERCENT
from madsci.event_manager.analytics.metrics.failures import failures_of
from madsci.event_manager.analytics.metrics.flow import (
    assisted_lifetime,
    ended_workflows,
    throughput,
    unassisted_lifetime,
    workflow_figures,
)
from madsci.event_manager.analytics.metrics.humans import WithoutHumans, without_humans
from madsci.event_manager.analytics.metrics.pareto import losses
from madsci.event_manager.analytics.metrics.reliability import all_reliability, node_reliability
from madsci.event_manager.analytics.metrics.states import (
    Sums,
    all_sums,
    node_states,
    session_times,
)
from madsci.event_manager.analytics.timelines import Timelines


def lab_metrics(timelines: Timelines, generated_at: int, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures of the window as a document that JSON can hold.

    ``generated_at`` is the present, in microseconds since 1970: nothing is known of what is after it.
    ``query`` is what was asked, which the document repeats. A figure without any case is ``None``.
    """
    until = timelines.known_until(generated_at)
    actions = ended_actions(timelines)
    states = node_states(timelines, until)
    failures = failures_of(timelines)
    people = without_humans(timelines, failures, actions.completions, until)
    reliable = node_reliability(timelines, states, failures, people.interventions)
    owned = node_attribution(timelines)
    nodes = timelines.nodes
    return {
        "generated_at": iso(generated_at),
        "query": dict(query),
        "window": _window(timelines, until),
        "coverage": _coverage(timelines, all_sums(states), until),
        "definitions": [one._asdict() for one in DEFINITIONS],
        "all_nodes": shown.sums(all_sums(states)),
        "nodes": [shown.node(one) for one in states.values()],
        "reliability": {
            "confidence_percent": CONFIDENCE_PERCENT,
            "all_nodes": shown.reliability(all_reliability(reliable, people.interventions)),
            "nodes": [shown.reliability(one, nodes[id_]) for id_, one in reliable.items()],
        },
        "autonomy": shown.autonomy(people),
        "throughput": _throughput(timelines, actions, people),
        "actions": [shown.action(one, nodes) for one in action_figures(actions)],
        "workflows": _workflows(timelines),
        "attribution": {
            "all_nodes": shown.attribution(all_attribution(owned)),
            "nodes": [shown.attribution(one, nodes[id_]) for id_, one in owned.items()],
        },
        "pareto": shown.losses(losses(failures, states, actions)),
    }


def _window(timelines: Timelines, until: int) -> dict[str, Any]:
    start, end = timelines.window
    return {
        "start": iso(start),
        "end": iso(end),
        "window_hours": hours(length(timelines.window)),
        "sessions": len(timelines.sessions),
        "session_hours": hours(session_times(timelines, until).total),
    }


def _coverage(timelines: Timelines, sums: Sums, until: int) -> dict[str, Any]:
    latest = timelines.picture.latest
    shares = shown.sums(sums)
    return {
        "coverage_percent": shares["coverage_percent"],
        "known_hours": hours(sums.known),
        "unknown_hours": shares["unknown_hours"],
        "known_until": iso(until),
        "latest_event_received": None if latest is None else iso(latest),
        "are_sessions_known": bool(timelines.picture.sessions),
        "nodes": len(timelines.nodes),
    }


def _throughput(timelines: Timelines, actions: EndedActions, people: WithoutHumans) -> dict[str, Any]:
    session_time = session_times(timelines, people.until).total
    completed = [run for run in ended_workflows(timelines) if run.outcome is Outcome.COMPLETED]
    ends = sorted(run.end for run in completed if run.end is not None)
    instants = [one.at for one in people.interventions]
    return {
        "session_hours": hours(session_time),
        "workflows": shown.throughput(throughput(ends, session_time)),
        "actions": shown.throughput(throughput(actions.completions, session_time)),
        "demonstrated_unassisted_lifetime": shown.span(unassisted_lifetime(timelines, instants)),
        "demonstrated_assisted_lifetime": shown.span(assisted_lifetime(timelines, people.until)),
    }


def _workflows(timelines: Timelines) -> dict[str, Any]:
    every, *named = (shown.workflows(one) for one in workflow_figures(timelines))
    return {"all": every, "by_name": named}
