"""Questions as jobs: what they need and how they are answered, in whichever process that happens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.export.chunks import chunked
from madsci.event_manager.export.formats import export
from madsci.event_manager.export.json_lines import lines_of_json
from madsci.event_manager.export.projection import Fields, encode_projected_by_id
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Page, Place, Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.sorting import NEWEST_FIRST, OLDEST_FIRST
from madsci.event_manager.model.tally import Count, Tally
from madsci.event_manager.model.ulid_sources import AS_STORED, Encoding
from madsci.event_manager.search.advice import advice
from madsci.event_manager.stores.base import EventReader

STREAM_PAGE: Final = 5_000
"""Events that a stream reads at once: 3 MB, in some hundredths of a second."""

Item = TypeVar("Item")


class Job(Protocol):
    """A question with one answer."""

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        ...

    def run(self, events: EventReader) -> Any:
        """Return the answer; raise ``QueryTimeoutError`` when the budget is used up."""
        ...


@dataclass(frozen=True)
class EncodedPage:
    """A page as it is sent, and the cursor of the next one."""

    body: bytes
    next_cursor: str | None


@dataclass(frozen=True)
class PageJob:
    """One page of events, with all members or the chosen ones."""

    query: Query
    fields: Fields | None
    seconds: float
    encoding: Encoding = AS_STORED

    def run(self, events: EventReader) -> EncodedPage:
        """Return the page."""
        page = find(events, self.query, self.seconds)
        if self.fields is None:
            body = self.encoding.by_id(page.events)
        else:
            body = encode_projected_by_id(page.events, self.fields)
        return EncodedPage(body, page.next_cursor)


@dataclass(frozen=True)
class TallyJob:
    """Counts, all of one moment."""

    tallies: Sequence[Tally]
    seconds: float

    def run(self, events: EventReader) -> list[list[Count]]:
        """Return the counts of each tally."""
        with _advising(self.tallies[0].selector, self.seconds) as budget:
            return events.tally([replace(tally, budget=budget) for tally in self.tallies])


@dataclass(frozen=True)
class SpanJob:
    """The times of the first and of the last event that match."""

    selector: Selector
    seconds: float

    def run(self, events: EventReader) -> tuple[int, int] | None:
        """Return the times in microseconds; ``None`` without events."""
        with _advising(self.selector, self.seconds) as budget:
            found = [
                events.find(Query(self.selector, 1, sort=sort, budget=budget)).events
                for sort in (OLDEST_FIRST, NEWEST_FIRST)
            ]
        if not all(found):
            return None
        first, last = (events[0].event_timestamp for events in found)
        return first, max(first, last)


class _Found(Protocol[Item]):
    """A page of events in some form."""

    @property
    def events(self) -> list[Item]: ...

    @property
    def next_place(self) -> Place | None: ...


@dataclass(frozen=True)
class StreamJob:
    """All that matches, up to the query's limit, in a format. Each page has a budget of its own."""

    query: Query
    format: str
    fields: Fields | None
    seconds: float

    def chunks(
        self, events: EventReader, on_page: Callable[[], None] = lambda: None
    ) -> Iterator[bytes]:
        """Return the parts of the file; ``on_page`` is called whenever a page was read for them."""
        if self.format == "ndjson" and self.fields is None:
            return chunked(lines_of_json(self._pages(events.find_json, on_page)))
        return export(self.format, lambda: self._pages(events.find, on_page), self.fields)

    def _pages(
        self, find: Callable[[Query], _Found[Item]], on_page: Callable[[], None]
    ) -> Iterator[list[Item]]:
        query, left = self.query, self.query.limit
        while left > 0:
            with _advising(query.selector, self.seconds) as budget:
                page = find(replace(query, limit=min(left, STREAM_PAGE), budget=budget))
            on_page()
            yield page.events
            left -= len(page.events)
            if page.next_place is None:
                return
            query = replace(query, after=page.next_place, offset=0)


@dataclass(frozen=True)
class VerifyJob:
    """Looking for damage, from a place on. What is found is told on the way."""

    place: int | None
    work_seconds: float = 10.0
    seconds: float = 60.0
    """Until it counts as stuck: on a busy machine it hardly gets a turn."""

    def run(self, events: EventReader) -> int | None:
        """Return the place at which to go on, ``None`` at the end."""
        return events.verify(self.place, Budget(self.work_seconds))


def find(events: EventReader, query: Query, seconds: float) -> Page:
    """Return a page within a budget.

    Raises:
        QueryTimeoutError: it takes longer; says what to narrow.
    """
    with _advising(query.selector, seconds) as budget:
        return events.find(replace(query, budget=budget))


@contextlib.contextmanager
def _advising(selector: Selector, seconds: float) -> Iterator[Budget]:
    budget = Budget(seconds)
    try:
        yield budget
    except QueryTimeoutError as error:
        if not budget.is_over:
            raise  # a single regular expression took too long, and says so
        raise QueryTimeoutError(f"{error.message} {advice(selector)}") from error
