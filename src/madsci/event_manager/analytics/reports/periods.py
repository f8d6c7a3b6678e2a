"""The report about periods: utilization by hours, days, weeks or months of a wall clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from madsci.common.clock import from_us
from madsci.common.errors import InvalidInputError
from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.lives import node_lives
from madsci.event_manager.analytics.marks import Outcome
from madsci.event_manager.analytics.periods import Length, periods
from madsci.event_manager.analytics.reports.figures import (
    display_name,
    ending,
    hours,
    instant,
    percent,
    seconds,
    spelled,
)
from madsci.event_manager.analytics.reports.series import Cell, Label, cells, peak
from madsci.event_manager.analytics.reports.sessions import freshness
from madsci.event_manager.analytics.reports.users import by_author, summary, totals
from madsci.event_manager.analytics.timelines import Experiment, Timelines, belongs

_METHOD: Final = (
    "Exact times of sessions, experiments and actions, cut at the borders of the periods. What is not"
    " known is counted by itself, never as idle."
)
_TOP_USERS: Final = 10
_EXPERIMENTS: Final = 50
_MOST_CELLS: Final = 200_000
"""Figures of nodes and workcells in one report: some 30 MB of JSON."""
_STEADY: Final = 5.0
"""Percent by which something has to change to be a trend."""
_FEWEST: Final = 2


def periods_report(
    lines: Timelines, length: Length, zone: ZoneInfo, generated_at: int, *, include_users: bool = True
) -> dict[str, Any]:
    """Return the report.

    Raises:
        InvalidInputError: there are too many periods for one.
    """
    labels = [
        Label(number, one, length) for number, one in enumerate(periods(lines.window, length, zone), 1)
    ]
    if len(labels) * (len(lines.nodes) + 1) > _MOST_CELLS:
        raise InvalidInputError(
            f"{len(labels):,} periods of {len(lines.nodes):,} nodes are too much for one report. Take"
            " longer periods, or a shorter time."
        )
    making = _Making(lines, labels)
    report: dict[str, Any] = {
        "summary_metadata": {
            "analysis_type": length.value,
            "generated_at": from_us(generated_at).isoformat(),
            "period_start": instant(lines.window[0]),
            "period_end": instant(lines.window[1]),
            "user_timezone": zone.key,
            "total_periods": len(labels),
            "method": _METHOD,
            **freshness(lines),
        },
        "key_metrics": making.key_metrics(),
    }
    if include_users:
        report["user_utilization"] = _users(lines)
    return {**report, **making.rest()}


class _Making:
    """The parts of one report."""

    def __init__(self, lines: Timelines, labels: Sequence[Label]) -> None:
        self._lines = lines
        active, running = lines.active(), lines.running
        self._system = cells(labels, running, active.known & running, active.unknown & running)
        self._counts = _under_way(lines.experiments, labels)
        self._nodes = {
            id_: cells(labels, life.up(lines.window), life.busy, life.unknown)
            for id_, life in node_lives(lines).items()
        }
        self._names: dict[str, str | None] = {}
        for one in lines.sessions:
            if one.workcell is not None:
                self._names[one.workcell] = self._names.get(one.workcell) or one.name
        self._workcells = {id_: self._cells_of_workcell(id_, labels) for id_ in sorted(self._names)}

    def _cells_of_workcell(self, id_: str, labels: Sequence[Label]) -> list[Cell]:
        up = Intervals.of(one.span for one in self._lines.sessions if one.workcell == id_)
        active = self._lines.active(id_)
        return cells(labels, up, active.known & up, active.unknown & up)

    def _of_workcell(self, id_: str) -> list[Experiment]:
        return [one for one in self._lines.experiments if belongs(one.run.about.get("workcell"), id_)]

    def key_metrics(self) -> dict[str, Any]:
        """Return the figures of the whole."""
        whole, used = _sums(self._system)
        active = [one for one in self._system if one.used > 0]
        return {
            "average_utilization": percent(used, whole),
            "average_active_period_utilization": percent(used, _sums(active)[0]),
            **_peak(self._system),
            "total_experiments": len({one.id for one in self._lines.experiments}),
            "total_runtime_hours": hours(whole),
            "total_active_time_hours": hours(used),
            "total_runtime_seconds": seconds(whole),
            "total_active_time_seconds": seconds(used),
            "total_unknown_time_seconds": seconds(sum(one.unknown for one in self._system)),
            "active_periods": len(active),
            "total_periods": len(self._system),
        }

    def rest(self) -> dict[str, Any]:
        """Return what comes after the key metrics and the people."""
        return {
            "node_summary": {id_: self._node_summary(id_, some) for id_, some in self._nodes.items()},
            "workcell_summary": {
                id_: self._workcell_summary(id_, some) for id_, some in self._workcells.items()
            },
            "trends": {
                "utilization_trend": trend([one.utilization for one in self._system]),
                "experiment_trend": trend([float(one) for one in self._counts]),
            },
            "experiment_details": _experiment_details(self._lines),
            "time_series": {
                "system": [
                    _system_row(one, count)
                    for one, count in zip(self._system, self._counts, strict=True)
                ],
                "nodes": {
                    id_: [_node_row(one) for one in some if _has_data(one)]
                    for id_, some in self._nodes.items()
                },
                "workcells": {id_: self._rows_of(id_, some) for id_, some in self._workcells.items()},
            },
        }

    def _node_summary(self, id_: str, some: list[Cell]) -> dict[str, Any]:
        whole, used = _sums(some)
        name = self._lines.nodes[id_].name
        return {
            "node_id": id_,
            "node_name": name,
            "display_name": display_name(name, "Node", id_, with_id=True),
            "average_utilization": percent(used, whole),
            **_peak(some),
            "total_busy_hours": hours(used),
            "total_busy_seconds": seconds(used),
            "total_up_seconds": seconds(whole),
            "total_unknown_seconds": seconds(sum(one.unknown for one in some)),
        }

    def _workcell_summary(self, id_: str, some: list[Cell]) -> dict[str, Any]:
        whole, used = _sums(some)
        name = self._names[id_] or f"Workcell {ending(id_)}"
        return {
            "workcell_id": id_,
            "workcell_name": name,
            "display_name": name,
            "average_utilization": percent(used, whole),
            **_peak(some),
            "total_experiments": len({one.id for one in self._of_workcell(id_)}),
            "total_runtime_hours": hours(whole),
            "total_active_time_hours": hours(used),
            "total_runtime_seconds": seconds(whole),
            "total_active_time_seconds": seconds(used),
        }

    def _rows_of(self, id_: str, some: list[Cell]) -> list[dict[str, Any]]:
        counts = _under_way(self._of_workcell(id_), [one.label for one in some])
        return [
            {
                **one.label.document,
                "utilization": one.utilization,
                "experiments": count,
                "runtime_hours": hours(one.whole),
                "active_time_hours": hours(one.used),
                **_exactly(one),
                "attributed": True,
            }
            for one, count in zip(some, counts, strict=True)
            if _has_data(one)
        ]


def _under_way(experiments: Sequence[Experiment], labels: Sequence[Label]) -> list[int]:
    """Return how many experiments were under way in each period, if only for an instant."""
    spans = [one.period.span for one in labels]
    found: list[set[str]] = [set() for _ in spans]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    for one in experiments:
        times = one.times.known | one.times.unknown
        begin = one.run.begin
        for start, end in times or ([] if begin is None else [(begin, begin + 1)]):
            for ids in found[bisect_right(ends, start) : bisect_left(starts, end)]:
                ids.add(one.id)
    return [len(ids) for ids in found]


def _sums(some: Sequence[Cell]) -> tuple[int, int]:
    return sum(one.whole for one in some), sum(one.used for one in some)


def _has_data(cell: Cell) -> bool:
    return bool(cell.whole or cell.used or cell.unknown)


def _peak(some: Sequence[Cell]) -> dict[str, Any]:
    best = peak(some)
    return {
        "peak_utilization": 0 if best is None else best.utilization,
        "peak_period": None if best is None else best.label.display,
        "peak_context": "No peak data available" if best is None else best.label.context,
    }


def trend(values: Sequence[float]) -> dict[str, Any]:
    """Return how the last value that is not 0 compares with the first one."""
    active = [one for one in values if one > 0]
    if len(active) < _FEWEST:
        return {"direction": "insufficient_data", "change_percent": 0.0}
    change = 100.0 * (active[-1] - active[0]) / active[0]
    direction = "increasing" if change > _STEADY else "decreasing" if change < -_STEADY else "stable"
    return {
        "direction": direction,
        "change_percent": round(change, 1),
        "first_value": active[0],
        "last_value": active[-1],
        "active_periods_analyzed": len(active),
    }


def _users(lines: Timelines) -> dict[str, Any]:
    people = by_author(lines.workflows)
    rows = [summary(who, runs) for who, runs in people.items()]
    known = sum("author" in run.about for run in lines.workflows)
    return {
        "total_users": len(people),
        "author_attribution_rate_percent": percent(known, len(lines.workflows)),
        "top_users": sorted(rows, key=lambda row: -row["total_runtime_seconds"])[:_TOP_USERS],
        "system_totals": totals(lines.workflows),
    }


def _experiment_details(lines: Timelines) -> dict[str, Any]:
    return {
        "total_experiments": len(lines.experiments),
        "experiments": [_experiment(one) for one in lines.experiments[:_EXPERIMENTS]],
    }


def _experiment(one: Experiment) -> dict[str, Any]:
    run = one.run
    taken = None if run.begin is None or run.end is None else run.end - run.begin
    return {
        "experiment_id": one.id,
        "experiment_name": display_name(one.name, "Experiment", one.id),
        "start_time": None if run.begin is None else instant(run.begin),
        "end_time": None if run.end is None else instant(run.end),
        "status": _status(one),
        "duration_hours": None if taken is None else hours(taken),
        "duration_seconds": None if taken is None else seconds(taken),
        "duration_display": "Ongoing" if taken is None else spelled(taken),
    }


def _status(one: Experiment) -> str:
    if one.run.end is None:
        return "in_progress" if one.run.before is None else Outcome.UNKNOWN.value
    return (one.run.outcome or Outcome.UNKNOWN).value


def _system_row(cell: Cell, experiments: int) -> dict[str, Any]:
    period = cell.label.period
    return {
        **cell.label.document,
        "start_time": period.begins.replace(tzinfo=None).isoformat(),
        "start_time_utc": instant(period.span[0]),
        "utilization": cell.utilization,
        "experiments": experiments,
        "runtime_hours": hours(cell.whole),
        "active_time_hours": hours(cell.used),
        **_exactly(cell),
    }


def _exactly(cell: Cell) -> dict[str, Any]:
    return {
        "runtime_seconds": seconds(cell.whole),
        "active_time_seconds": seconds(cell.used),
        "unknown_time_seconds": seconds(cell.unknown),
    }


def _node_row(cell: Cell) -> dict[str, Any]:
    return {
        **cell.label.document,
        "utilization": cell.utilization,
        "busy_hours": hours(cell.used),
        "busy_seconds": seconds(cell.used),
        "up_seconds": seconds(cell.whole),
        "unknown_seconds": seconds(cell.unknown),
    }
