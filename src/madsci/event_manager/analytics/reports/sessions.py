"""The report about sessions: each time that a lab or a workcell was up, and what nodes did then."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from madsci.common.clock import from_us
from madsci.event_manager.analytics.intervals import Intervals, Span
from madsci.event_manager.analytics.reports.figures import (
    display_name,
    ending,
    hours,
    instant,
    known_percent,
    length,
    percent,
    seconds,
)
from madsci.event_manager.analytics.timelines import (
    Experiment,
    NodeTimes,
    Session,
    Timelines,
    belongs,
)


@dataclass(frozen=True)
class NodeShare:
    """What a node did in a span; the parts are disjoint, and together they are the span."""

    node: NodeTimes
    busy: Intervals
    idle: Intervals
    error: Intervals
    unknown: Intervals
    inactive: Intervals

    @property
    def active(self) -> int:
        """For how long it was up and known to be busy, idle or at fault, in microseconds."""
        return self.busy.total + self.idle.total + self.error.total


def share_of(node: NodeTimes, span: Span) -> NodeShare:
    """Return what a node did in a span."""
    whole = Intervals.of([span])
    busy = node.busy.known.within(span)
    error = node.faults.within(span) - busy
    unknown = (node.up.unknown | node.busy.unknown).within(span) - busy - error
    up = node.up.known.within(span) if node.says_when_up else whole
    idle = up - unknown - error - busy
    inactive = whole - up - unknown - error - busy
    return NodeShare(node, busy, idle, error, unknown, inactive)


def sessions_report(lines: Timelines, generated_at: int) -> dict[str, Any]:
    """Return the report."""
    sessions = lines.sessions or [_whole_window(lines)]
    details = [_SessionDetail(lines, one) for one in sessions]
    nodes = _nodes_of(lines, details)
    return {
        "report_metadata": {
            "generated_at": from_us(generated_at).isoformat(),
            "analysis_start": instant(lines.window[0]),
            "analysis_end": instant(lines.window[1]),
            "total_sessions": len(sessions),
            "analysis_duration_hours": hours(lines.window[1] - lines.window[0]),
            "coverage": _coverage(lines, details, nodes),
        },
        "overall_summary": _summary(lines, details, nodes),
        "session_details": [one.document() for one in details],
    }


def _whole_window(lines: Timelines) -> Session:
    """Return what stands for sessions where none is known."""
    id_ = f"analysis_{lines.window[0] // 1_000_000}"
    return Session(id_, "default_analysis", "Complete Database Analysis", lines.window, None)


class _SessionDetail:
    """One session, and all that belongs to it."""

    def __init__(self, lines: Timelines, session: Session) -> None:
        self.session = session
        self.length = session.span[1] - session.span[0]
        self.active = lines.active(session.workcell).within(session.span)
        self.experiments = [
            one
            for one in lines.experiments
            if belongs(one.run.about.get("workcell"), session.workcell) and _touches(one, session.span)
        ]
        self.nodes = [
            share
            for node in lines.nodes.values()
            if belongs(node.workcell, session.workcell)
            and _has_shown(share := share_of(node, session.span))
        ]

    def document(self) -> dict[str, Any]:
        session, active = self.session, self.active.known.total
        kind = "Lab" if session.kind == "lab" else "Workcell"
        return {
            "session_type": session.kind,
            "session_id": session.id,
            "session_name": session.name or f"{kind} {ending(session.id)}",
            "start_time": instant(session.span[0]),
            "end_time": instant(session.span[1]),
            "timing": {
                "duration": length(self.length),
                "active_time": length(active),
                "idle_time": length(self.length - active - self.active.unknown.total),
                "unknown_time": length(self.active.unknown.total),
            },
            "system_utilization_percent": percent(active, self.length),
            "total_experiments": len({one.id for one in self.experiments}),
            "experiment_details": [
                {
                    "experiment_id": id_,
                    "experiment_name": name,
                    "display_name": display_name(name, "Experiment", id_),
                }
                for id_, name in {one.id: one.name for one in self.experiments}.items()
            ],
            "nodes_active": len(self.nodes),
            "node_utilizations": {one.node.id: _node_document(one, session.span) for one in self.nodes},
            "raw_hours": {
                "duration": hours(self.length),
                "active": hours(active),
                "idle": hours(self.length - active - self.active.unknown.total),
                "unknown": hours(self.active.unknown.total),
            },
            "duration_hours": hours(self.length),
            "active_time_hours": hours(active),
        }


def _touches(experiment: Experiment, span: Span) -> bool:
    times = experiment.times.within(span)
    begin = experiment.run.begin
    is_instant = begin is not None and span[0] <= begin < span[1]
    return bool(times.known or times.unknown) or is_instant


def _has_shown(share: NodeShare) -> bool:
    """Tell whether anything is known of a node in its span."""
    if share.node.says_when_up:
        return bool(share.busy or share.idle or share.error or share.unknown)
    return bool(share.busy or share.error or share.unknown)


def _node_document(share: NodeShare, span: Span) -> dict[str, Any]:
    node, whole = share.node, span[1] - span[0]
    return {
        "node_id": node.id,
        "node_name": node.name,
        "display_name": display_name(node.name, "Node", node.id, with_id=True),
        "utilization_percent": percent(share.busy.total, share.active),
        "state": _state(share, span[1]),
        "timing": {
            "busy_time": length(share.busy.total),
            "idle_time": length(share.idle.total),
            "error_time": length(share.error.total),
            "inactive_time": length(share.inactive.total),
            "unknown_time": length(share.unknown.total),
            "total_time": length(whole),
        },
        "raw_hours": {
            "busy": hours(share.busy.total),
            "idle": hours(share.idle.total),
            "error": hours(share.error.total),
            "inactive": hours(share.inactive.total),
            "unknown": hours(share.unknown.total),
            "total": hours(whole),
        },
        "busy_time_hours": hours(share.busy.total),
        "idle_time_hours": hours(share.idle.total),
        "unknown_time_hours": hours(share.unknown.total),
    }


def _state(share: NodeShare, end: int) -> str:
    """Return in what state a node is at the end of a span; what is under way counts as so."""
    last = end - 1
    if last in share.busy or (share.node.under_way and last in share.node.busy.unknown):
        return "busy"
    parts = {"error": share.error, "inactive": share.inactive, "unknown": share.unknown}
    return next((word for word, times in parts.items() if last in times), "idle")


@dataclass(frozen=True)
class _NodeOfSessions:
    """What a node did in all sessions in which it has shown itself; an hour in several counts once."""

    sessions: int
    shares: list[NodeShare]


def _nodes_of(lines: Timelines, details: list[_SessionDetail]) -> dict[str, _NodeOfSessions]:
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for detail in details:
        for share in detail.nodes:
            spans[share.node.id].append(detail.session.span)
    return {
        id_: _NodeOfSessions(len(some), [share_of(lines.nodes[id_], one) for one in Intervals.of(some)])
        for id_, some in sorted(spans.items())
    }


def _summary(
    lines: Timelines, details: list[_SessionDetail], nodes: dict[str, _NodeOfSessions]
) -> dict[str, Any]:
    """Return what sessions come to together: their sums; of nodes an hour in several counts once."""
    runtime = sum(one.length for one in details)
    active = sum(one.active.known.total for one in details)
    return {
        "total_sessions": len(details),
        "total_system_runtime_hours": hours(runtime),
        "total_active_time_hours": hours(active),
        "total_system_runtime_seconds": seconds(runtime),
        "total_active_time_seconds": seconds(active),
        "average_system_utilization_percent": percent(active, runtime),
        "total_experiments": len({one.id for detail in details for one in detail.experiments}),
        "nodes_tracked": len(nodes),
        "node_summary": {id_: _node_summary(one) for id_, one in nodes.items()},
        "analysis_period": {
            "start_time": instant(lines.window[0]),
            "end_time": instant(lines.window[1]),
            "duration_hours": hours(lines.window[1] - lines.window[0]),
        },
    }


def _node_summary(node: _NodeOfSessions) -> dict[str, Any]:
    shares = node.shares
    busy = sum(one.busy.total for one in shares)
    unknown = sum(one.unknown.total for one in shares)
    return {
        "average_utilization_percent": percent(busy, sum(one.active for one in shares)),
        "total_busy_time_hours": hours(busy),
        "total_busy_time_seconds": seconds(busy),
        "total_unknown_time_seconds": seconds(unknown),
        "sessions_active": node.sessions,
    }


def _coverage(
    lines: Timelines, details: list[_SessionDetail], nodes: dict[str, _NodeOfSessions]
) -> dict[str, Any]:
    """Return how much of the time is known, of experiments and of nodes together."""
    shares = [share for node in nodes.values() for share in node.shares]
    unknown = sum(one.unknown.total for one in shares)
    known = sum(one.active + one.inactive.total for one in shares)
    away = Intervals.of(span for one in details for span in one.active.unknown)
    return {
        "node_time_known_percent": known_percent(known, known + unknown),
        "unknown_node_hours": hours(unknown),
        "unknown_experiment_hours": hours(away.total),
        **known_until(lines),
    }


def known_until(lines: Timelines) -> dict[str, Any]:
    """Return up to where what was sent is in a report."""
    picture = lines.picture
    until = picture.known_until
    return {
        "latest_event_received": None if picture.latest is None else instant(picture.latest),
        "complete_until": None if until is None else instant(until),
    }
