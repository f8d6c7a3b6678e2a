"""The report about sessions: each time that a lab or a workcell was up, and what nodes did then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from madsci.common.clock import from_us
from madsci.event_manager.analytics.intervals import Column, Flags, Intervals, column
from madsci.event_manager.analytics.lives import NodeLife, node_lives
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
from madsci.event_manager.analytics.reports.shares import NodeShare, node_shares
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Experiment, Session, Timelines, Times, belongs


def sessions_report(lines: Timelines, generated_at: int) -> dict[str, Any]:
    """Return the report."""
    sessions = lines.sessions if lines.picture.sessions else [_whole_window(lines)]
    lives = node_lives(lines)
    details = _details(lines, sessions, lives)
    nodes = _nodes_of(lives, details)
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
    """Return what stands for sessions where none was ever told."""
    id_ = f"analysis_{lines.window[0] // 1_000_000}"
    return Session(id_, "default_analysis", "Complete Database Analysis", lines.window, None)


@dataclass(frozen=True)
class _SessionDetail:
    """One session, and all that belongs to it."""

    session: Session
    active: Times
    """When experiments were under way."""
    experiments: list[Experiment] = field(default_factory=list)
    nodes: list[NodeShare] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Microseconds."""
        return self.session.span[1] - self.session.span[0]

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


def _details(
    lines: Timelines, sessions: Sequence[Session], lives: Mapping[str, NodeLife]
) -> list[_SessionDetail]:
    workcells = {one.workcell for one in sessions}
    active = {workcell: lines.active(workcell) for workcell in workcells}
    details = [_SessionDetail(one, active[one.workcell].within(one.span)) for one in sessions]
    starts = column([one.span[0] for one in sessions])
    ends = column([one.span[1] for one in sessions])
    for one in lines.experiments:
        for at in np.flatnonzero(_touched(one, starts, ends)).tolist():
            if belongs(one.run.about.get("workcell"), sessions[at].workcell):
                details[at].experiments.append(one)
    for life in lives.values():
        for detail, share in zip(details, node_shares(life, starts, ends), strict=True):
            if belongs(life.workcell, detail.session.workcell) and share.is_shown:
                detail.nodes.append(share)
    return details


def _touched(experiment: Experiment, starts: Column, ends: Column) -> Flags:
    """Return which spans an experiment was, or may have been, under way in, if only for an instant."""
    times, begin = experiment.times, experiment.run.begin
    taken = times.known.totals(starts, ends) + times.unknown.totals(starts, ends)
    if begin is None:
        return taken > 0
    return (taken > 0) | ((starts <= begin) & (begin < ends))


def _node_document(share: NodeShare, span: Span) -> dict[str, Any]:
    node, whole = share.node, span[1] - span[0]
    return {
        "node_id": node.id,
        "node_name": node.name,
        "display_name": display_name(node.name, "Node", node.id, with_id=True),
        "utilization_percent": percent(share.busy, share.active),
        "state": share.state,
        "timing": {
            "busy_time": length(share.busy),
            "idle_time": length(share.idle),
            "error_time": length(share.error),
            "inactive_time": length(share.inactive),
            "unknown_time": length(share.unknown),
            "total_time": length(whole),
        },
        "raw_hours": {
            "busy": hours(share.busy),
            "idle": hours(share.idle),
            "error": hours(share.error),
            "inactive": hours(share.inactive),
            "unknown": hours(share.unknown),
            "total": hours(whole),
        },
        "busy_time_hours": hours(share.busy),
        "idle_time_hours": hours(share.idle),
        "unknown_time_hours": hours(share.unknown),
    }


@dataclass(frozen=True)
class _NodeOfSessions:
    """What a node did in all its sessions; an hour in several counts once."""

    sessions: int
    """In how many it has shown itself."""
    shares: list[NodeShare]


def _nodes_of(
    lives: Mapping[str, NodeLife], details: Iterable[_SessionDetail]
) -> dict[str, _NodeOfSessions]:
    """Return the nodes that have shown themselves in any session."""
    shown = Counter(share.node.id for detail in details for share in detail.nodes)
    found = {}
    for id_, count in sorted(shown.items()):
        life = lives[id_]
        on = life.sessions
        found[id_] = _NodeOfSessions(count, node_shares(life, on.starts, on.ends))
    return found


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
    busy = sum(one.busy for one in shares)
    unknown = sum(one.unknown for one in shares)
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
    unknown = sum(one.unknown for one in shares)
    known = sum(one.active + one.inactive for one in shares)
    away = Intervals.of(span for one in details for span in one.active.unknown)
    return {
        "node_time_known_percent": known_percent(known, known + unknown),
        "unknown_node_hours": hours(unknown),
        "unknown_experiment_hours": hours(away.total),
        **freshness(lines),
    }


def freshness(lines: Timelines) -> dict[str, Any]:
    """Return up to where what was sent is in a report."""
    picture = lines.picture
    until = picture.known_until
    return {
        "latest_event_received": None if picture.latest is None else instant(picture.latest),
        "complete_until": None if until is None else instant(until),
    }
