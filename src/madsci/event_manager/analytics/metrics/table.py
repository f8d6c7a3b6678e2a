"""The figures of a document as one tidy table: a row for each, with its unit, its n and its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, Final

from madsci.event_manager.export.csv_rows import csv_text, safe_cell

_Document = Mapping[str, Any]
_Value = float | str | None
_STATES: Final = (
    "total", "productive", "standby", "engineering", "scheduled_down", "unscheduled_down",
    "non_scheduled", "unknown", "operations", "manufacturing",
)  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """A figure. What it is not about is ``None``, an empty cell, as what is not known."""

    metric: str
    node: str | None = None
    action: str | None = None
    """The name of an action, or of a workflow."""
    who: str | None = None
    """A user, an experiment or a campaign; what failed in a row of the Pareto."""
    value: _Value = None
    unit: str | None = None
    n: int | None = None
    low: float | None = None
    high: float | None = None


def lab_csv(document: _Document) -> str:
    """Return what ``lab_metrics`` gave as CSV (RFC 4180), a header first, lines that end with CR LF.

    Figures of all nodes come first and have no node. A mean time between events of which there was none
    has no value: it is at least the lower bound. Texts that a spreadsheet would run get an
    apostrophe in front, as those of exports do.
    """
    header = [one.name for one in fields(_Row)]
    return csv_text([header, *(list(map(safe_cell, astuple(row))) for row in _rows(document))])


def _rows(document: _Document) -> Iterator[_Row]:
    yield from _of_window(document)
    for one in (document["all_nodes"], *document["nodes"]):
        yield from _of_states(one)
    for one in (document["reliability"]["all_nodes"], *document["reliability"]["nodes"]):
        yield from _of_reliability(one)
    yield from _of_autonomy(document["autonomy"])
    yield from _of_throughput(document["throughput"])
    for one in document["actions"]:
        yield from _of_actions(one)
    for one in (document["workflows"]["all"], *document["workflows"]["by_name"]):
        yield from _of_workflows(one)
    for one in (document["attribution"]["all_nodes"], *document["attribution"]["nodes"]):
        yield from _of_attribution(one)
    yield from _of_losses(document["pareto"])


def _of_window(document: _Document) -> Iterator[_Row]:
    window, coverage = document["window"], document["coverage"]
    yield _Row("window_start", value=window["start"], unit="instant")
    yield _Row("window_end", value=window["end"], unit="instant")
    yield _Row("known_until", value=coverage["known_until"], unit="instant")
    yield _Row("generated_at", value=document["generated_at"], unit="instant")
    for name, value in document["query"].items():
        yield _Row("query", who=name, value=value)
    yield _Row("window", value=window["window_hours"], unit="hours")
    yield _Row("session_time", value=window["session_hours"], unit="hours", n=window["sessions"])


def _of_states(one: _Document) -> Iterator[_Row]:
    node = one.get("node")
    yield _Row("coverage", node, value=one["coverage_percent"], unit="percent")
    for state in _STATES:
        yield _Row(f"{state}_time", node, value=one[f"{state}_hours"], unit="hours")
    for name in ("uptime", "downtime"):
        yield _Row(name, node, value=one[f"{name}_hours"], unit="hours")
    for name in ("operational_utilization", "total_utilization"):
        share = one[name]
        yield _Row(
            name, node, value=share["value_percent"], unit="percent",
            low=share["low_percent"], high=share["high_percent"],
        )  # fmt: skip


def _of_reliability(one: _Document) -> Iterator[_Row]:
    node = one.get("node")
    for name in ("failures", "faults", "crashes", "assists"):
        yield _Row(name, node, value=one[name], unit="count")
    for name in ("mtbf", "mttr", "mtbi"):
        mean = one[name]
        yield _Row(
            name, node, value=mean["value_hours"], unit="hours", n=mean["n"],
            low=mean["low_hours"], high=mean["high_hours"],
        )  # fmt: skip


def _of_autonomy(one: _Document) -> Iterator[_Row]:
    stretches = one["stretches"]
    times, commands = one["time_without_humans"], one["commands_completed_without_humans"]
    yield _Row("interventions", value=one["interventions"], unit="count")
    for kind, count in one["interventions_by_kind"].items():
        yield _Row(f"interventions_{kind}", value=count, unit="count")
    for name in ("longest", "current"):
        yield _Row(f"twh_{name}", value=_length(times[name]), unit="hours", n=stretches)
    yield _Row("twh_median", value=times["median_hours"], unit="hours", n=stretches)
    for name, count in commands.items():
        yield _Row(f"ccwh_{name}", value=count, unit="count", n=stretches)


def _length(span: _Document | None) -> float | None:
    found: float | None = None if span is None else span["length_hours"]
    return found


def _of_throughput(one: _Document) -> Iterator[_Row]:
    for name in ("workflows", "actions"):
        count = one[name]["completed"]
        yield _Row(f"{name}_completed", value=count, unit="count")
        yield _Row(
            f"{name}_throughput", value=one[name]["completed_per_hour"], unit="per_hour", n=count
        )
        yield _Row(
            f"{name}_best_hour", value=one[name]["best_hour_completed"], unit="per_hour", n=count
        )
    for name in ("demonstrated_unassisted_lifetime", "demonstrated_assisted_lifetime"):
        yield _Row(name, value=_length(one[name]), unit="hours")


def _of_actions(one: _Document) -> Iterator[_Row]:
    node, action = one["node"], one["action"]
    for name in ("completed", "failed", "other"):
        yield _Row(f"action_{name}", node, action, value=one[name], unit="count")
    yield _Row(
        "action_failure_rate", node, action, value=one["failure_rate_percent"], unit="percent",
        n=one["n"], low=one["failure_rate_low_percent"], high=one["failure_rate_high_percent"],
    )  # fmt: skip
    yield from _of_lengths("action_duration", one["duration"], node, action)


def _of_lengths(metric: str, one: _Document, node: str | None, action: str | None) -> Iterator[_Row]:
    names = [name for name in one if name != "n"]
    for name in names:
        yield _Row(
            f"{metric}_{name.removesuffix('_seconds')}", node, action, value=one[name],
            unit="seconds", n=one["n"],
        )  # fmt: skip


def _of_workflows(one: _Document) -> Iterator[_Row]:
    name = one["workflow"]
    for outcome, count in one["outcomes"].items():
        yield _Row(f"workflow_{outcome}", action=name, value=count, unit="count", n=one["n"])
    for length in ("makespan", "queue", "wait"):
        yield from _of_lengths(f"workflow_{length}", one[length], None, name)


def _of_attribution(one: _Document) -> Iterator[_Row]:
    node = one.get("node")
    yield _Row("busy_time", node, value=one["busy_hours"], unit="hours")
    for kinds, kind in (("users", "user"), ("experiments", "experiment"), ("campaigns", "campaign")):
        for part in one[kinds]:
            who = part[kind]
            metric = f"busy_time_by_{kind}" if who is not None else f"busy_time_without_{kind}"
            yield _Row(metric, node, who=who, value=part["busy_hours"], unit="hours")


def _of_losses(found: Iterable[_Document]) -> Iterator[_Row]:
    for one in found:
        metric = f"lost_by_{one['kind']}"
        rest: dict[str, Any] = {"node": one["node"], "action": one["action"], "who": one["error"]}
        yield _Row(metric, **rest, value=one["lost_minutes"], unit="minutes", n=one["n"])
        yield _Row(f"{metric}_cumulative", **rest, value=one["cumulative_percent"], unit="percent")
