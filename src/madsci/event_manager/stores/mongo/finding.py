"""Pages of events from a collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from madsci.common.clock import iso
from madsci.common.types.members import FLAGS, INSTANTS
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import PAGE_BYTES, Filling, Page, Place, Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.sorting import NULLABLE, Sort, SortKey, in_order, is_behind, place
from madsci.event_manager.model.stored_event import StoredEvent, size_of
from madsci.event_manager.model.values import Kind
from madsci.event_manager.stores.mongo.codec import NO_EVENT, to_event
from madsci.event_manager.stores.mongo.compile import Filter
from madsci.event_manager.stores.mongo.connection import Collection, Cursor, Document
from madsci.event_manager.stores.mongo.passing_over import PassedOver
from madsci.event_manager.stores.mongo.selecting import split

_MAX_SKIP: Final = 2**31 - 1
_READ_AT_ONCE: Final = 1_000
"""Documents in one reply of the server: half a megabyte."""
_SORTED_AT_ONCE: Final = 20_000
_SORTED_BYTES: Final = 4 * PAGE_BYTES
"""Events held, and their bytes, beside those of the page while they are brought into an order that the
server does not have."""

Matching = Iterator[tuple[StoredEvent, Document]]


@dataclass(frozen=True)
class Events:
    """The events of a collection; ``is_mongodb`` says whether the server answers every selector."""

    collection: Collection
    is_mongodb: bool
    passed_over: PassedOver
    among: Filter = field(default_factory=dict)
    """What is looked at, by the members that are only in documents."""

    def find(self, query: Query) -> Page:
        """Return the page of events that answers the question; raises the driver's errors."""
        if query.sort[0].is_of_commits:
            page = self.find(replace(query, sort=_by_receipt(query.sort)))
            return replace(page, sort=query.sort)
        if all(key.is_member for key in query.sort):
            return self._in_order_of_server(query)
        return self._in_our_order(query)

    def matching(self, selector: Selector, budget: Budget) -> Matching:
        """Yield the events that match with their documents, in no order."""
        condition, left = self.asked(selector)
        return self._read(self.collection.find(condition), left, budget)

    def asked(self, selector: Selector) -> tuple[Filter, Selector | None]:
        """Return the filter for the server, and what is still to be asked of what it finds."""
        condition, left = split(selector, all_of_it=self.is_mongodb)
        return {"$and": [condition, self.among]} if self.among else condition, left

    def _in_order_of_server(self, query: Query, *, is_limited: bool = True) -> Page:
        condition, left = self.asked(query.selector)
        if query.after is not None:
            condition = {"$and": [condition, behind(query.after, query.sort)]}
        order = [(key.path[0], DESCENDING if key.descending else ASCENDING) for key in query.sort]
        cursor = self.collection.find(condition).sort(order)
        wanted, skipped = query.limit + 1, min(query.offset, _MAX_SKIP)
        is_limited = is_limited and left is None
        if is_limited:
            cursor = cursor.limit(min(wanted, _MAX_SKIP)).skip(skipped)
            skipped = 0
        odd: list[Document] = []
        filling: Filling[StoredEvent] = Filling(query)
        found = islice(self._read(cursor, left, query.budget, odd), skipped, skipped + wanted)
        for event, document in found:
            if not filling.takes(event, size_of(event), tuple(place(document, query.sort))):
                break
        page = Page(filling.items, filling.next_place, query.sort)
        # What is no event would make the page shorter than it should be, which looks like the end.
        return self._in_order_of_server(query, is_limited=False) if odd and is_limited else page

    def _in_our_order(self, query: Query) -> Page:
        """Look at all that match, and keep the first: any order, at the cost of reading them."""
        kept: list[tuple[list[Any], StoredEvent]] = []
        more, size = 0, 0
        for event, document in self.matching(query.selector, query.budget):
            where = place(document, query.sort)
            if query.after is None or is_behind(where, query.after, query.sort):
                kept.append((where, event))
                more, size = more + 1, size + size_of(event)
                if more > _SORTED_AT_ONCE or size > _SORTED_BYTES:
                    kept = _first_page(in_order(kept, query.sort), query)[0]
                    more, size = 0, 0
        return _first_page(in_order(kept, query.sort), query)[1]

    def _read(
        self,
        cursor: Cursor,
        left: Selector | None,
        budget: Budget,
        odd: list[Document] | None = None,
    ) -> Matching:
        """Yield the events of the documents that match; others go to ``odd``."""
        with cursor.batch_size(_READ_AT_ONCE):
            cursor.max_time_ms(budget.milliseconds())
            for found in cursor:
                budget.check()
                try:
                    event = to_event(found)
                except NO_EVENT as error:
                    self.passed_over.note(found.get("_id"), error)
                    if odd is not None:
                        odd.append(found)
                    continue
                document = event.document()
                if left is None or matches(left, document):
                    yield event, document


def _by_receipt(sort: Sort) -> Sort:
    """Return the order of commits where several servers write: that of their clocks at the receipt."""
    return (SortKey(("received_at",), sort[0].descending), *sort[1:])


def _first_page(
    found: list[tuple[list[Any], StoredEvent]], query: Query
) -> tuple[list[tuple[list[Any], StoredEvent]], Page]:
    """Return those of events in their order that a page and its offset need, and the page."""
    filling: Filling[StoredEvent] = Filling(query)
    for number, (where, event) in enumerate(found):
        if number >= query.offset and not filling.takes(event, size_of(event), tuple(where)):
            found = found[: number + 1]
            break
    return found, Page(filling.items, filling.next_place, query.sort)


def behind(after: Place, sort: Sort) -> Filter:
    """Return the filter of what comes after a place in an order of members."""
    ways: list[Filter] = []
    equal: Filter = {}
    for key, value in zip(sort, _stored_values(after, sort), strict=True):
        name = key.path[0]
        ways += [{**equal, **later} for later in _later(name, value, descending=key.descending)]
        equal = {**equal, name: value}
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _later(name: str, value: Any, *, descending: bool) -> list[Filter]:
    """Return the filters of what stands behind a value: null is before everything else."""
    if value is None:
        return [] if descending else [{name: {"$ne": None}}]
    if name in NULLABLE and descending:
        return [{name: {"$lt": value}}, {name: None}]
    return [{name: {"$lt" if descending else "$gt": value}}]


def _stored_values(after: Place, sort: Sort) -> Iterator[Any]:
    values = iter(after)
    for key in sort:
        if key.is_plain:
            yield _stored(key.path[0], next(values))
        else:
            kind, number, text = islice(values, 3)
            value = {Kind.NUMBER: number, Kind.TEXT: text}.get(kind)
            yield None if value is None else _stored(key.path[0], value)


def _stored(name: str, value: Any) -> Any:
    if name in INSTANTS:
        return iso(value)
    return bool(value) if name in FLAGS else value
