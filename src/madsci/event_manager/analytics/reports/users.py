"""The report about people: which workflows they ran, for how long, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from madsci.common.clock import from_us
from madsci.event_manager.analytics.marks import Outcome
from madsci.event_manager.analytics.reports.figures import hours, instant, percent, seconds
from madsci.event_manager.analytics.reports.sessions import freshness
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.timelines import Timelines

UNKNOWN_AUTHOR: Final = "Unknown Author"
_ENDED: Final = (Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED)


def users_report(lines: Timelines, generated_at: int) -> dict[str, Any]:
    """Return the report. A workflow counts whole if it was under way in the window at all.

    Nobody is known for those without an author, who count as one of the people.
    """
    workflows = lines.workflows
    known = [run for run in workflows if "author" in run.about]
    return {
        "report_metadata": {
            "generated_at": from_us(generated_at).isoformat(),
            "analysis_start": instant(lines.window[0]),
            "analysis_end": instant(lines.window[1]),
            "total_workflows": len(workflows),
            "total_users": len(by_author(workflows)),
            "workflows_with_authors": len(known),
            "workflows_without_authors": len(workflows) - len(known),
            **freshness(lines),
        },
        "system_summary": {
            **totals(workflows),
            "average_workflow_duration_hours": _average(workflows),
            "workflows_with_known_authors": len(known),
            "author_attribution_rate_percent": percent(len(known), len(workflows)),
        },
        "user_utilization": {
            author: {"author": author, **_user(runs), "workflows": [_workflow(run) for run in runs]}
            for author, runs in by_author(workflows).items()
        },
    }


def by_author(workflows: Iterable[Run]) -> dict[str, list[Run]]:
    """Return workflows by who wrote them, who began first coming first."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in workflows:
        found[run.about.get("author", UNKNOWN_AUTHOR)].append(run)
    return dict(found)


def duration(run: Run) -> int | None:
    """Return how long a workflow took, in microseconds: what it says itself, or from begin to end."""
    if run.seconds is not None:
        return round(run.seconds * 1_000_000)
    if run.begin is None or run.end is None:
        return None
    return run.end - run.begin


def totals(workflows: list[Run]) -> dict[str, Any]:
    """Return what workflows come to together."""
    lengths = [taken for run in workflows if (taken := duration(run)) is not None]
    return {
        "total_workflows": len(workflows),
        "total_runtime_hours": hours(sum(lengths), 2),
        "total_runtime_seconds": seconds(sum(lengths)),
        "completion_rate_percent": percent(_count(workflows, Outcome.COMPLETED), len(workflows)),
    }


def summary(author: str, runs: list[Run]) -> dict[str, Any]:
    """Return the row of somebody in a list of people."""
    return {
        "author": author,
        **totals(runs),
        "average_workflow_duration_hours": _average(runs),
    }


def _user(runs: list[Run]) -> dict[str, Any]:
    lengths = [taken for run in runs if (taken := duration(run)) is not None]
    return {
        "total_workflows": len(runs),
        **{f"{one.value}_workflows": _count(runs, one) for one in _ENDED},
        "total_runtime_hours": hours(sum(lengths), 2),
        "total_runtime_seconds": seconds(sum(lengths)),
        "average_workflow_duration_hours": _average(runs),
        "shortest_workflow_hours": hours(min(lengths), 3) if lengths else None,
        "longest_workflow_hours": hours(max(lengths), 3) if lengths else None,
        "completion_rate_percent": percent(_count(runs, Outcome.COMPLETED), len(runs)),
    }


def _count(runs: list[Run], outcome: Outcome) -> int:
    return sum(run.outcome is outcome for run in runs)


def _average(runs: list[Run]) -> float:
    lengths = [taken for run in runs if (taken := duration(run)) is not None]
    return hours(sum(lengths) // len(lengths), 3) if lengths else 0.0


def _workflow(run: Run) -> dict[str, Any]:
    taken = duration(run)
    return {
        "workflow_id": run.id,
        "workflow_name": run.about.get("name", "Unknown"),
        "start_time": None if run.begin is None else instant(run.begin),
        "end_time": None if run.end is None else instant(run.end),
        "duration_hours": None if taken is None else hours(taken),
        "duration_seconds": None if taken is None else seconds(taken),
        "status": _status(run),
    }


def _status(run: Run) -> str:
    if run.outcome is not None:
        return run.outcome.value
    return "started" if run.before is None and run.end is None else "unknown"
