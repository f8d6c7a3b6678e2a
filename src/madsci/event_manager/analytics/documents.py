"""What a report is: the window, the picture of it, the document, its form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from madsci.common.clock import FIRST_US, LAST_US
from madsci.event_manager.analytics.asked import DAY, Asked, Form, Kind
from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.lab import lab_metrics
from madsci.event_manager.analytics.metrics.methods import methods_text
from madsci.event_manager.analytics.metrics.table import lab_csv
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.reports.periods import periods_report
from madsci.event_manager.analytics.reports.sessions import sessions_report
from madsci.event_manager.analytics.reports.tables import periods_table, sessions_table, users_table
from madsci.event_manager.analytics.reports.users import users_report
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import Timelines
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Page, Query
from madsci.event_manager.model.selector import EVERYTHING
from madsci.event_manager.model.sorting import NEWEST_FIRST, OLDEST_FIRST
from madsci.event_manager.model.stored_event import encode_json

_ABOUT: Final = ("report_metadata", "summary_metadata", "coverage")
"""The member of a report that is about itself."""
_MARGIN: Final = 60_000_000
"""Microseconds around the first and the last event."""
_THINGS: Final = {
    Kind.SESSIONS: set(Thing) - {Thing.WORKFLOW, Thing.STEP},
    Kind.PERIODS: set(Thing) - {Thing.STEP},
    Kind.USERS: {Thing.WORKFLOW},
    Kind.LAB: set(Thing),
}
"""What reports are made of."""
_TABLES: Final[dict[Kind, Callable[[Mapping[str, Any]], str]]] = {
    Kind.SESSIONS: sessions_table, Kind.PERIODS: periods_table, Kind.USERS: users_table,
    Kind.LAB: lab_csv,
}  # fmt: skip


class Source(Kept, Protocol):
    """What a report is made of."""

    def find(self, query: Query) -> Page:
        """Return events; see ``EventReader``."""
        ...


def made(asked: Asked, events: Source, budget: Budget) -> bytes:
    """Return a report, in its form.

    Raises:
        InvalidInputError: it would be too large.
        QueryTimeoutError: the budget is used up.
    """
    begin, end = asked.window or _whole(events, asked.now, budget)
    window = begin, max(begin + 1, min(end, asked.now))
    lines = Timelines(picture(events, window, budget, _THINGS[asked.kind]))
    document = document_of(lines, asked)
    about = next((document[name] for name in _ABOUT if name in document), document)
    about["events_not_read_yet"] = asked.events_behind
    return written(document, asked)


def _whole(events: Source, now: int, budget: Budget) -> Span:
    """Return from when to when there are events; the last day where none has happened yet."""
    ends = [
        events.find(Query(EVERYTHING, 1, sort=sort, budget=budget)).events
        for sort in (OLDEST_FIRST, NEWEST_FIRST)
    ]
    first, last = (some[0].event_timestamp if some else now for some in ends)
    if first >= now:
        return now - DAY, now
    return max(FIRST_US, first - _MARGIN), min(LAST_US, last + _MARGIN)


def document_of(lines: Timelines, asked: Asked) -> dict[str, Any]:
    """Return the report about a picture of a lab as a document that JSON can hold."""
    if asked.kind is Kind.SESSIONS:
        return sessions_report(lines, asked.now)
    if asked.kind is Kind.PERIODS:
        return periods_report(
            lines, asked.length, asked.zone, asked.now, include_users=asked.include_users
        )
    if asked.kind is Kind.LAB:
        return lab_metrics(lines, asked.now, asked.query)
    return users_report(lines, asked.now)


def written(document: Mapping[str, Any], asked: Asked) -> bytes:
    """Return a report in the form that was asked for."""
    if asked.form is Form.CSV:
        return _TABLES[asked.kind](document).encode()
    if asked.form is Form.METHODS:
        return methods_text(document).encode()
    return encode_json(document).encode()
