"""Figures as members of a JSON document: units are in the names, instants are texts in UTC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from madsci.common.clock import iso
from madsci.event_manager.analytics.marks import Outcome
from madsci.event_manager.analytics.metrics.attribution import Attribution
from madsci.event_manager.analytics.metrics.counting import hours, length, minutes, percent, seconds
from madsci.event_manager.analytics.metrics.durations import ActionFigures, Lengths
from madsci.event_manager.analytics.metrics.flow import Throughput, WorkflowFigures
from madsci.event_manager.analytics.metrics.humans import Kind, WithoutHumans
from madsci.event_manager.analytics.metrics.pareto import Loss
from madsci.event_manager.analytics.metrics.reliability import Estimate, Reliability
from madsci.event_manager.analytics.metrics.states import NodeStates, Share, State, Sums
from madsci.event_manager.analytics.reports.figures import known_percent
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import NodeTimes

MOST_OF_TIMELINE: Final = 2_000
"""Spans of a node's timeline that are shown. Of more none is: half of a life would mislead."""

_Document = dict[str, Any]
_WORDS: Final = {
    State.PRODUCTIVE: "productive", State.STANDBY: "standby", State.ENGINEERING: "engineering",
    State.SCHEDULED_DOWN: "scheduled_down", State.UNSCHEDULED_DOWN: "unscheduled_down",
    State.NON_SCHEDULED: "non_scheduled", State.UNKNOWN: "unknown",
}  # fmt: skip


def sums(of: Sums) -> _Document:
    """Return how long nodes were in each state, and what is made of that."""
    return {
        "total_hours": hours(of.total),
        **{f"{word}_hours": hours(of.times[state]) for state, word in _WORDS.items()},
        "operations_hours": hours(of.operations),
        "manufacturing_hours": hours(of.manufacturing),
        "uptime_hours": hours(of.uptime),
        "downtime_hours": hours(of.downtime),
        "coverage_percent": known_percent(of.known, of.total) if of.total else None,
        "operational_utilization": _share(of.operational_utilization),
        "total_utilization": _share(of.total_utilization),
    }


def node(states: NodeStates) -> _Document:
    """Return the states of a node, with its timeline."""
    return {
        **_named(states.node),
        "workcell": states.node.workcell,
        "says_when_up": states.node.says_when_up,
        **sums(states.sums),
        "timeline_spans": states.spans,
        "timeline": [
            {"state": state.value, "start": iso(start), "end": iso(end)}
            for (start, end), state in (states.timeline() if states.spans <= MOST_OF_TIMELINE else ())
        ],
    }


def _named(one: NodeTimes) -> _Document:
    return {"node": one.id, "name": one.name}


def _share(share: Share | None) -> _Document:
    value, low, high = share or (None, None, None)
    return {
        "value_percent": _percent(value),
        "low_percent": _percent(low),
        "high_percent": _percent(high),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else percent(share)


def _hours(microseconds: float | None) -> float | None:
    return None if microseconds is None else hours(microseconds)


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else seconds(microseconds)


def _instant(at: int | None) -> str | None:
    return None if at is None else iso(at)


def reliability(of: Reliability, named: NodeTimes | None = None) -> _Document:
    """Return how reliable a node is, or all."""
    return {
        **({} if named is None else _named(named)),
        "productive_hours": hours(of.productive),
        "failures": of.failures,
        "faults": of.faults,
        "crashes": of.crashes,
        "assists": of.assists,
        "mtbf": _estimate(of.between_failures),
        "mttr": _estimate(of.to_repair),
        "mtbi": _estimate(of.between_interrupts),
    }


def _estimate(of: Estimate) -> _Document:
    low, high = of.bounds or (None, None)
    known = None if of.bounds is None else "="
    return {
        "n": of.n,
        "relation": ">=" if of.is_at_least else known,
        "value_hours": _hours(of.value),
        "low_hours": _hours(low),
        "high_hours": _hours(high),
    }


def autonomy(of: WithoutHumans) -> _Document:
    """Return times without humans, and commands completed meanwhile."""
    longest, current = of.longest, of.current
    kinds = Counter(one.kind for one in of.interventions)
    return {
        "interventions": len(of.interventions),
        "interventions_by_kind": {kind.value: kinds[kind] for kind in Kind},
        "last_intervention": _instant(of.interventions[-1].at if of.interventions else None),
        "stretches": len(of.stretches),
        "time_without_humans": {
            "longest": span(None if longest is None else longest.span),
            "current": span(None if current is None else current.span),
            "median_hours": _hours(of.median_length),
        },
        "commands_completed_without_humans": {
            "most": of.most_commands,
            "in_longest": None if longest is None else longest.commands,
            "current": None if current is None else current.commands,
            "median": of.median_commands,
        },
    }


def span(of: Span | None) -> _Document | None:
    """Return a span of time."""
    if of is None:
        return None
    return {"length_hours": hours(length(of)), "start": iso(of[0]), "end": iso(of[1])}


def throughput(of: Throughput) -> _Document:
    """Return how much was completed."""
    return {
        "completed": of.completed,
        "completed_per_hour": None if of.per_hour is None else round(of.per_hour, 6),
        "best_hour_completed": of.best,
        "best_hour_start": _instant(of.best_begins),
    }


def action(of: ActionFigures, nodes: Mapping[str, NodeTimes]) -> _Document:
    """Return how long actions took, and how often they failed."""
    known = nodes.get(of.node or "")
    low, high = of.failure_bounds or (None, None)
    return {
        "node": of.node,
        "name": None if known is None else known.name,
        "action": of.action,
        "n": of.n,
        "completed": of.ended.completed,
        "failed": of.ended.failed,
        "other": of.ended.other,
        "failure_rate_percent": _percent(of.failure_rate),
        "failure_rate_low_percent": _percent(low),
        "failure_rate_high_percent": _percent(high),
        "duration": {**_lengths(of.lengths), "p99_seconds": _seconds(of.lengths.quantile(99))},
    }


def _lengths(of: Lengths) -> _Document:
    return {
        "n": of.n,
        "mean_seconds": _seconds(of.mean),
        "p50_seconds": _seconds(of.quantile(50)),
        "p95_seconds": _seconds(of.quantile(95)),
    }


def workflows(of: WorkflowFigures) -> _Document:
    """Return how workflows ended, and how long they took."""
    return {
        "workflow": of.name,
        "n": of.n,
        "outcomes": {outcome.value: of.outcomes[outcome] for outcome in Outcome},
        **{name: _lengths(lengths) for name, lengths in of.lengths().items()},
    }


def attribution(of: Attribution, named: NodeTimes | None = None) -> _Document:
    """Return whose work a node was busy with, or all were."""
    return {
        **({} if named is None else _named(named)),
        "busy_hours": hours(of.busy),
        "users": _owners(of, "user"),
        "experiments": _owners(of, "experiment"),
        "campaigns": _owners(of, "campaign"),
    }


def _owners(of: Attribution, kind: str) -> list[_Document]:
    return [
        {
            kind: who or None,
            "busy_hours": hours(time),
            "share_percent": percent(time / of.busy) if of.busy else None,
        }
        for who, time in of.by(kind).items()
    ]


def losses(of: Sequence[Loss]) -> list[_Document]:
    """Return what failures cost, with the share of all that is lost."""
    total = sum(one.lost for one in of)
    return [
        {
            "kind": one.subject.kind,
            "node": one.subject.node,
            "action": one.subject.action,
            "error": one.subject.error,
            "n": one.n,
            "lost_minutes": minutes(one.lost),
            "unknown_minutes": minutes(one.unknown),
            "share_percent": percent(one.lost / total) if total else None,
            "cumulative_percent": percent(one.cumulative / total) if total else None,
        }
        for one in of
    ]
