"""The figures of a document as sentences, for the methods section of a paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_Document = Mapping[str, Any]
_UNKNOWN: Final = "unknown"
_TIMES: Final = {"makespan": "makespan", "queue": "queue time", "wait": "wait time"}
_ALL_DIGITS: Final = 1_000
_MOST_ACTIONS: Final = 20
"""Of which there are sentences: the most frequent ones."""


def methods_text(document: _Document) -> str:
    """Return what ``lab_metrics`` gave as text in paragraphs; its last line ends with a line break.

    It states each figure with the number of cases, its interval and the coverage, the window, and the
    query that gave them. Lengths are in hours, durations of actions and workflows in seconds.
    """
    parts = (_observed, _states, _reliability, _autonomy, _throughput, _work, _provenance)
    return "\n\n".join(" ".join(part(document)) for part in parts) + "\n"


def _observed(document: _Document) -> Iterator[str]:
    window, coverage = document["window"], document["coverage"]
    yield (
        f"The laboratory was observed from {window['start']} to {window['end']} "
        f"({_hours(window['window_hours'])}), with {_number(coverage['nodes'], 'node')}."
    )
    if not coverage["are_sessions_known"]:
        yield "No session is known, so all of this time counts as a session."
    elif not window["sessions"]:
        yield "In this time no session was on: the laboratory was off."
    else:
        yield (
            f"In this time {_number(window['sessions'], 'session')} "
            f"took {_hours(window['session_hours'])}."
        )
    if coverage["coverage_percent"] is None:
        yield "Events tell of no node, so nothing is known of its time."
    else:
        yield (
            f"Events tell of {_percent(coverage['coverage_percent'])} of the "
            f"{_hours(document['all_nodes']['total_hours'])} of all nodes (coverage); the rest, "
            f"{_hours(coverage['unknown_hours'])}, is stated as unknown and never as idle."
        )


def _states(document: _Document) -> Iterator[str]:
    sums = document["all_nodes"]
    yield (
        "Node time was classified by the equipment states of SEMI E10: "
        f"{_hours(sums['productive_hours'])} productive, {_hours(sums['standby_hours'])} standby, "
        f"{_hours(sums['scheduled_down_hours'])} scheduled down, "
        f"{_hours(sums['unscheduled_down_hours'])} unscheduled down and "
        f"{_hours(sums['non_scheduled_hours'])} non-scheduled. Engineering time is not recorded."
    )
    operational, total = sums["operational_utilization"], sums["total_utilization"]
    yield (
        f"Operational utilization (productive time over operations time) was {_share(operational)}, "
        f"total utilization (productive time over total time) {_share(total)}; ranges are what unknown "
        "time allows."
    )


def _reliability(document: _Document) -> Iterator[str]:
    every = document["reliability"]["all_nodes"]
    confidence = document["reliability"]["confidence_percent"]
    yield (
        f"In {_hours(every['productive_hours'])} of productive time, "
        f"{_number(every['failures'], 'failure')} ({_number(every['faults'], 'fault')}, "
        f"{_number(every['crashes'], 'crash', 'crashes')}) and "
        f"{_number(every['assists'], 'further interruption')} by humans were counted."
    )
    yield f"The mean productive time between failures (MTBF) was {_mean(every['mtbf'], confidence)}."
    yield (
        "The mean productive time between interrupts, which are failures and interruptions by humans "
        f"(MTBI), was {_mean(every['mtbi'], confidence)}."
    )
    yield (
        f"The mean time to repair (MTTR) was {_mean(every['mttr'], confidence)}. Intervals are exact "
        "for events that come by chance at one rate, and for exponential repair times."
    )


def _autonomy(document: _Document) -> Iterator[str]:
    autonomy = document["autonomy"]
    times, commands = autonomy["time_without_humans"], autonomy["commands_completed_without_humans"]
    yield (
        f"Humans intervened {_number(autonomy['interventions'], 'time')}, where pausing, continuing or "
        "cancelling an experiment, aborting a workflow, clearing a fault and starting a node after a "
        "crash count as interventions."
    )
    yield (
        f"The longest time without humans (TWH) was {_span(times['longest'])}; the median of "
        f"n = {autonomy['stretches']} such times was {_hours(times['median_hours'])}."
    )
    yield (
        "The most commands completed without humans (CCWH) in one of them were "
        f"{_or_unknown(commands['most'])} (median {_or_unknown(commands['median'])})."
    )


def _throughput(document: _Document) -> Iterator[str]:
    found = document["throughput"]
    hours = _hours(found["session_hours"])
    for name, what in (("workflows", "workflow"), ("actions", "action")):
        one = found[name]
        yield (
            f"{_number(one['completed'], what)} completed in {hours} of session time make a "
            f"demonstrated throughput of {_or_unknown(one['completed_per_hour'])} {what}s per hour "
            f"({one['best_hour_completed']} in the best 60 minutes)."
        )
    yield (
        "The demonstrated unassisted lifetime was "
        f"{_span(found['demonstrated_unassisted_lifetime'])}, the assisted one "
        f"{_span(found['demonstrated_assisted_lifetime'])}."
    )


def _work(document: _Document) -> Iterator[str]:
    every = document["workflows"]["all"]
    done = every["outcomes"]["completed"]
    yield f"Completed were {done} of the {_number(every['n'], 'workflow')} that ended."
    for name in _TIMES:
        one = every[name]
        if one["n"]:
            yield (
                f"Their {_TIMES[name]} had a median of {_seconds(one['p50_seconds'])} and a 95th "
                f"percentile of {_seconds(one['p95_seconds'])} (n = {one['n']})."
            )
    actions = sorted(document["actions"], key=lambda one: -one["n"])
    for one in actions[:_MOST_ACTIONS]:
        if one["n"]:
            yield _action(one, document["reliability"]["confidence_percent"])
    if len(actions) > _MOST_ACTIONS:
        rest = _number(len(actions) - _MOST_ACTIONS, "less frequent action")
        yield f"The table of the figures has {rest} more."


def _action(one: _Document, confidence: int) -> str:
    action = _line(one["action"] or "without a name")
    node = _line(one["name"] or one["node"] or "no known node")
    took, text = one["duration"], ""
    if took["n"]:
        text = (
            f"took {_seconds(took['p50_seconds'])} in the median, {_seconds(took['p95_seconds'])} at "
            f"the 95th and {_seconds(took['p99_seconds'])} at the 99th percentile "
            f"(n = {took['n']}) and "
        )
    return (
        f"Action {action} on {node} {text}failed in {_percent(one['failure_rate_percent'])} of "
        f"n = {one['n']} cases ({confidence} % interval {_percent(one['failure_rate_low_percent'])} to "
        f"{_percent(one['failure_rate_high_percent'])})."
    )


def _provenance(document: _Document) -> Iterator[str]:
    query = ", ".join(_line(f"{name}={value}") for name, value in document["query"].items()) or "none"
    yield (
        f"The figures were computed at {document['generated_at']} from the events of the laboratory "
        f"known until {document['coverage']['known_until']}; parameters of the query: {query}."
    )
    sources = dict.fromkeys(one["source"] for one in document["definitions"])
    yield f"Definitions are after: {'; '.join(sources)}."


def _mean(one: _Document, confidence: int) -> str:
    if one["relation"] is None:
        return f"{_UNKNOWN} (n = {one['n']})"
    if one["relation"] == ">=":
        low = _hours(one["low_hours"])
        return f"at least {low} (>=, n = 0, lower bound of the {confidence} % interval)"
    return (
        f"{_hours(one['value_hours'])} (n = {one['n']}, {confidence} % interval "
        f"{_hours(one['low_hours'])} to {_hours(one['high_hours'])})"
    )


def _share(one: _Document) -> str:
    if one["value_percent"] is None:
        return _UNKNOWN
    return (
        f"{_percent(one['value_percent'])} ({_percent(one['low_percent'])} to "
        f"{_percent(one['high_percent'])})"
    )


def _span(one: _Document | None) -> str:
    if one is None:
        return _UNKNOWN
    return f"{_hours(one['length_hours'])} (from {one['start']})"


def _hours(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{_figure(value)} h"


def _seconds(value: float) -> str:
    return f"{_figure(value)} s"


def _figure(value: float) -> str:
    """Return a number with four digits, or all those before the point."""
    return f"{value:.0f}" if value >= _ALL_DIGITS else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4g} %"


def _or_unknown(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.6g}"


def _line(text: str) -> str:
    """Return a text in one line: paragraphs are the only breaks."""
    return " ".join(text.split())


def _number(count: int, what: str, many: str | None = None) -> str:
    return f"{count} {what if count == 1 else many or what + 's'}"
