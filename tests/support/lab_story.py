"""Events of a lab by hand, and what is concluded of them, as a server concludes it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from madsci.common.clock import UTC, parse_instant
from madsci.event_manager.analytics.asked import UTC_CLOCK
from madsci.event_manager.analytics.follower import UtilizationFollower
from madsci.event_manager.analytics.periods import Length
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.timelines import Timelines
from madsci.event_manager.feed.course import Course
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.memory import MemoryStore
from support.lab_runs import go_on

DAY = "2025-01-06"
"""On which things happen whose time is only a time of day."""
_numbers = count()


def at(when: str) -> int:
    """The microseconds of a time in UTC: `2025-01-06T14:00:00`, or `14:00` of the usual day."""
    return parse_instant(when if "T" in when else f"{DAY}T{when}", UTC)


def told(when: str, kind: str, data: Any = None, **source: Any) -> StoredEvent:
    """An event; what it says when it has no data is an empty object."""
    moment = at(when)
    data = {} if data is None else data
    return StoredEvent(
        f"e{next(_numbers):06d}", kind, 20, False, moment, moment, source, encode_json(data)
    )


def session(begin: str, end: str | None, id_: str = "W", **data: Any) -> list[StoredEvent]:
    """A workcell that was up."""
    begun = told(begin, "workcell_start", data, workcell_id=id_)
    return [begun] if end is None else [begun, told(end, "workcell_stop", workcell_id=id_)]


def experiment(begin: str | None, end: str | None, id_: str = "x", **source: Any) -> list[StoredEvent]:
    """An experiment that was completed, or of which one end was not told."""
    ends = [(begin, "experiment_start"), (end, "experiment_complete")]
    return [told(when, kind, experiment_id=id_, **source) for when, kind in ends if when is not None]


def action(
    begin: str, end: str | None, node: str = "n", id_: str | None = None, **source: Any
) -> list[StoredEvent]:
    """An action on a node."""
    ends = [(begin, "running"), (end, "completed")]
    name = id_ or f"{node} {begin}"
    return [
        told(when, "action_status_change", {"action_id": name, "status": word}, node_id=node, **source)
        for when, word in ends
        if when is not None
    ]


def node_up(begin: str | None, end: str | None, node: str = "n", **source: Any) -> list[StoredEvent]:
    """A node that was started and stopped."""
    ends = [(begin, "node_start"), (end, "node_stop")]
    return [told(when, kind, node_id=node, **source) for when, kind in ends if when is not None]


def workflow(
    begin: str | None, end: str | None, id_: str = "f", author: str | None = None, **data: Any
) -> list[StoredEvent]:
    """A workflow; further data are those of its end."""
    known = {"workflow_id": id_} | ({} if author is None else {"author": author})
    events = [] if begin is None else [told(begin, "workflow_start", known)]
    return events if end is None else [*events, told(end, "workflow_complete", {**known, **data})]


def lines_of(
    events: Iterable[StoredEvent], begin: str = "00:00", end: str = "24:00", now: str | None = None
) -> Timelines:
    """What is concluded of events, in a window; it is the end of that, or ``now``."""
    window = moments(begin, end)
    present = window[1] if now is None else at(now)
    store = MemoryStore()
    store.append(list(events))
    course = Course(UtilizationFollower(), store, clock=lambda: present)
    go_on(course)
    return Timelines(picture(store, (window[0], min(window[1], present))))


def periods_of(
    events: Iterable[StoredEvent],
    begin: str,
    end: str,
    length: Length = Length.DAILY,
    zone: ZoneInfo = UTC_CLOCK,
    **more: bool,
) -> dict[str, Any]:
    """The report about periods that is made of events."""
    return periods_report(lines_of(events, begin, end), length, zone, at("2025-02-01T00:00:00"), **more)


def moments(begin: str, end: str) -> tuple[int, int]:
    """A span; `24:00` is the end of the usual day."""
    return at(begin), at("2025-01-07T00:00:00") if end == "24:00" else at(end)


def missing(found: Any, expected: Any, path: str = "report") -> list[str]:
    """What of the expected is not found so; more may be there, but no other type of a number."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for name, value in expected.items()
            for line in (
                missing(found[name], value, f"{path}.{name}") if name in found else [f"{path}.{name}"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [
            line for place, (one, other) in pairs for line in missing(one, other, f"{path}[{place}]")
        ]
    return [] if found == expected else [f"{path}: {found!r}, not {expected!r}"]
