"""A question to a store, and a page of its answer."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from madsci.common.errors import InvalidCursorError
from madsci.common.flattening import column_name
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.selector import EVERYTHING, NOT_ARCHIVED, And, Compare, Selector
from madsci.event_manager.model.sorting import NEWEST_FIRST, Sort, directions
from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.model.values import INT64

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 10_000
"""Events in one page: about 5 MB of JSON, which a browser and a robot's computer both still take."""

PAGE_BYTES: Final = 16_000_000
"""Bytes of events at which a page ends early: what a page of usual events never has, and still a
fraction of the memory of a robot's computer, several times over. A single event may be as large."""

NO_LIMIT: Final = 2**62
"""More events than any store has, for readings of everything."""

Place = tuple[Any, ...]


@dataclass(frozen=True)
class Query:
    """Events that match a selector, in an order: newest first, equal times by id, greatest first.

    A page has ``limit`` events, or fewer where they are large: it ends before ``PAGE_BYTES``, but has
    one event at least. Whether more follow its ``next_place`` tells, never how many it has.

    ``after`` is the place in the order behind which to go on; ``offset`` skips events from there and
    costs time in proportion, a cursor does not. ``budget`` bounds the time. With a ``fence``, which is
    an answer of ``EventStore.fence``, nothing is found that was committed after it was asked for.
    """

    selector: Selector = EVERYTHING
    limit: int = DEFAULT_PAGE
    offset: int = 0
    after: Place | None = None
    sort: Sort = NEWEST_FIRST
    budget: Budget = field(default=UNLIMITED, compare=False)
    fence: Position | None = None


@dataclass(frozen=True)
class Page:
    """A page of events; ``next_place`` is that of the last one, where others follow.

    At its end there is none, nor on a page that was asked to have no events.
    """

    events: list[StoredEvent]
    next_place: Place | None = None
    sort: Sort = NEWEST_FIRST

    def as_json(self) -> JsonPage:
        """Return the page with its events as the REST API shows them."""
        return JsonPage(list(map(encode_event, self.events)), self.next_place)

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page, or ``None`` at the end."""
        if self.next_place is None:
            return None
        return encode_cursor(self.next_place, self.sort)


@dataclass(frozen=True)
class JsonPage:
    """A page of events as the REST API shows them; see ``Page``."""

    events: list[bytes]
    next_place: Place | None = None


Item = TypeVar("Item")


class Filling(Generic[Item]):
    """A page that is being filled, in its order, by the engine that finds the events."""

    def __init__(self, query: Query) -> None:
        self.items: list[Item] = []
        self._most = query.limit
        self._room = PAGE_BYTES
        self._place: Place | None = None
        self._is_full = False

    def takes(self, item: Item, size: int, place: Place) -> bool:
        """Add the next event, which has so many bytes; ``False`` if the page was full before it."""
        self._room -= size
        if len(self.items) >= self._most or (self._room < 0 and self.items):
            self._is_full = True
            return False
        self.items.append(item)
        self._place = place
        return True

    @property
    def next_place(self) -> Place | None:
        """The place of the last event, where others follow it."""
        return self._place if self._is_full else None


def encode_cursor(place: Sequence[Any], sort: Sort = NEWEST_FIRST) -> str:
    """Return a place in an order of events as opaque text for a URL."""
    values = [*_name_of(sort), *place]
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def _name_of(sort: Sort) -> list[str]:
    """Return what tells cursors of different orders apart: nothing for the usual order."""
    if sort == NEWEST_FIRST:
        return []
    return [",".join("-" * key.descending + column_name(key.path) for key in sort)]


def decode_cursor(text: str, sort: Sort = NEWEST_FIRST) -> Place:
    """Return the place that a cursor stands for in an order.

    Raises:
        InvalidCursorError: the text is no cursor, or one of another order.
    """
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        place = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list[Any])
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _not_ours(text) from error
    name = _name_of(sort)
    if place[: len(name)] != name or not _is_place(place[len(name) :], sort):
        raise _not_ours(text)
    return tuple(place[len(name) :])


def _is_place(place: list[Any], sort: Sort) -> bool:
    if len(place) != len(directions(sort)) or not all(_is_scalar(value) for value in place):
        return False
    values = iter(place)
    for key in sort:
        value = next(values)
        if key.is_plain:
            if not isinstance(value, str if key.path[0] in ("_id", "event_type") else int):
                return False
        elif not (isinstance(value, int) and not isinstance(next(values), str)
                  and isinstance(next(values), str)):  # fmt: skip
            return False
    return True


def _is_scalar(value: Any) -> bool:
    if isinstance(value, int):
        return value in INT64
    return isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


def _not_ours(text: str) -> InvalidCursorError:
    return InvalidCursorError(
        f"{text!r:.80} is not a cursor of this question. Use the one of the last reply as it is, with"
        " the same sort, or start again without one."
    )


def latest(
    *,
    level: int = 0,
    start_time: int | None = None,
    end_time: int | None = None,
    include_archived: bool = False,
) -> Selector:
    """Return the selector of ``GET /events``: at least a level, between two times inclusive."""
    parts: list[Selector] = []
    if level > 0:
        parts.append(Compare(("log_level",), "$gte", level))
    if start_time is not None:
        parts.append(Compare(("event_timestamp",), "$gte", start_time))
    if end_time is not None:
        parts.append(Compare(("event_timestamp",), "$lte", end_time))
    if not include_archived:
        parts.append(NOT_ARCHIVED)
    return And(tuple(parts))
