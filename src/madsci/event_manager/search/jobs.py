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
from madsci.event_manager.model.selector import Compare, Selector, conjuncts
from madsci.event_manager.model.sorting import NEWEST_FIRST, OLDEST_FIRST
from madsci.event_manager.model.tally import Buckets, Count, Grouping, Tally
from madsci.event_manager.model.ulid_sources import AS_STORED, Encoding
from madsci.event_manager.search.advice import advice
from madsci.event_manager.search.histogram import buckets_between
from madsci.event_manager.stores.base import EventReader

STREAM_PAGE: Final = 1_000
"""Events that a stream reads at once: 600 KB. More is no faster and takes several times the memory."""

Item = TypeVar("Item")


class Job(Protocol):
    """A question with one answer."""

    def run(self, events: EventReader, budget: Budget) -> Any:
        """Return the answer; raise what ``budget.check`` raises when it is used up."""
        ...


class QuestionJob(Job, Protocol):
    """A job that somebody waits for."""

    @property
    def narrowing(self) -> str:
        """What to ask instead where it takes too long, as sentences."""
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
    fields: Fields | None = None
    encoding: Encoding = AS_STORED

    @property
    def narrowing(self) -> str:
        """What to narrow in what is looked for."""
        return advice(self.query.selector)

    def run(self, events: EventReader, budget: Budget) -> EncodedPage:
        """Return the page."""
        page = find(events, self.query, budget)
        if self.fields is None:
            body = self.encoding.by_id(page.events)
        else:
            body = encode_projected_by_id(page.events, self.fields)
        return EncodedPage(body, page.next_cursor)


@dataclass(frozen=True)
class TallyJob:
    """Counts, all of one moment."""

    tallies: Sequence[Tally]

    @property
    def _selector(self) -> Selector:
        return self.tallies[0].selector

    @property
    def narrowing(self) -> str:
        """What to narrow in what is counted, which is the same for all of them."""
        return advice(self._selector)

    def run(self, events: EventReader, budget: Budget) -> list[list[Count]]:
        """Return the counts of each tally."""
        with _advising(self._selector, budget):
            return events.tally([replace(tally, budget=budget) for tally in self.tallies])


@dataclass(frozen=True)
class HistogramJob:
    """Counts in spans from the first event to the last, or between the times that are asked for.

    Without a ``width``, in microseconds, a round one is chosen.
    """

    selector: Selector
    grouping: Grouping | None = None
    width: int | None = None

    @property
    def narrowing(self) -> str:
        """What to narrow in what is counted."""
        return advice(self.selector)

    def run(self, events: EventReader, budget: Budget) -> tuple[Buckets | None, list[Count]]:
        """Return the spans and what is in them; ``None`` and nothing without events.

        Raises:
            InvalidInputError: there would be too many spans.
        """
        with _advising(self.selector, budget):
            span = self._span(events, budget)
            if span is None:
                return None, []
            buckets = buckets_between(*span, self.width)
            (counts,) = events.tally([Tally(self.selector, self.grouping, buckets, budget=budget)])
        return buckets, counts

    def _span(self, events: EventReader, budget: Budget) -> tuple[int, int] | None:
        bounds: dict[str, int] = {}
        for part in conjuncts(self.selector):
            if isinstance(part, Compare) and part.path == ("event_timestamp",):
                bounds[part.operator[:3]] = part.value
        if "$gt" in bounds and "$lt" in bounds:
            return bounds["$gt"], max(bounds["$gt"], bounds["$lt"])
        found = [
            events.find(Query(self.selector, 1, sort=sort, budget=budget)).events
            for sort in (OLDEST_FIRST, NEWEST_FIRST)
        ]
        if not all(found):
            return None
        first, last = (events[0].event_timestamp for events in found)
        first, last = bounds.get("$gt", first), bounds.get("$lt", last)
        return first, max(first, last)


class _Found(Protocol[Item]):
    """A page of events in some form."""

    @property
    def events(self) -> list[Item]: ...

    @property
    def next_place(self) -> Place | None: ...


@dataclass(frozen=True)
class StreamJob:
    """All that matches, up to the query's limit, in a format. Each page has ``seconds`` for itself."""

    query: Query
    format: str
    fields: Fields | None
    seconds: float

    def parts(
        self,
        events: EventReader,
        budget: Callable[[float], Budget] = Budget,
        on_page: Callable[[], None] = lambda: None,
    ) -> Iterator[bytes]:
        """Return the parts of the file; ``on_page`` is called whenever a page was read for them."""
        if self.format == "ndjson" and self.fields is None:
            return chunked(lines_of_json(self._pages(events.find_json, budget, on_page)))
        return export(self.format, lambda: self._pages(events.find, budget, on_page), self.fields)

    def _pages(
        self,
        find: Callable[[Query], _Found[Item]],
        new_budget: Callable[[float], Budget],
        on_page: Callable[[], None],
    ) -> Iterator[list[Item]]:
        query, left = self.query, self.query.limit
        while left > 0:
            budget = new_budget(self.seconds)
            with _advising(query.selector, budget):
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

    def run(self, events: EventReader, budget: Budget) -> int | None:
        """Return the place at which to go on, ``None`` at the end."""
        return events.verify(self.place, Budget(min(self.work_seconds, budget.left)))


def find(events: EventReader, query: Query, budget: Budget) -> Page:
    """Return a page within a budget.

    Raises:
        QueryTimeoutError: it takes longer; says what to narrow.
    """
    with _advising(query.selector, budget):
        return events.find(replace(query, budget=budget))


@contextlib.contextmanager
def _advising(selector: Selector, budget: Budget) -> Iterator[None]:
    try:
        yield
    except QueryTimeoutError as error:
        if not budget.is_over:
            raise  # a single regular expression took too long, and says so
        raise out_of_time(budget, advice(selector)) from error


def out_of_time(budget: Budget, narrowing: str) -> QueryTimeoutError:
    """Return the error of a question whose budget is used up; it says what to narrow."""
    return QueryTimeoutError(f"The question was stopped after {budget.seconds:g} s. {narrowing}")
