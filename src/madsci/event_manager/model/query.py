"""A question to a store, and a page of its answer."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from madsci.common.errors import InvalidCursorError
from madsci.event_manager.model.selector import EVERYTHING, And, Compare, Equals, Selector
from madsci.event_manager.model.stored_event import StoredEvent

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 10_000
"""Events in one page: about 5 MB of JSON, which a browser and a robot's computer both still take."""

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


@dataclass(frozen=True)
class Query:
    """Events that match a selector, newest first; equal times by id, greatest first.

    ``after`` is the place (time in microseconds, id) behind which to go on; ``offset`` skips events
    from there and costs time in proportion, a cursor does not.
    """

    selector: Selector = EVERYTHING
    limit: int = DEFAULT_PAGE
    offset: int = 0
    after: tuple[int, str] | None = None


@dataclass(frozen=True)
class Page:
    """A page of events; ``more`` tells whether others follow."""

    events: list[StoredEvent]
    more: bool

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page, or ``None`` at the end."""
        return encode_cursor(self.events[-1].order) if self.more and self.events else None


def page_of(events: list[StoredEvent], limit: int) -> Page:
    """Make a page of up to one event more than the limit, the last of which only tells of more."""
    return Page(events[:limit], more=len(events) > limit)


def encode_cursor(order: tuple[int, str]) -> str:
    """Return a place in the order of events as opaque text for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(order)).rstrip(b"=").decode()


def decode_cursor(text: str) -> tuple[int, str]:
    """Return the place that a cursor stands for.

    Raises:
        InvalidCursorError: the text is no cursor.
    """
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[_Int64, str])
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise InvalidCursorError(
            f"{text!r:.80} is not a cursor of this server. Use the one of the last reply as it is,"
            " or start again without one."
        ) from error


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
        parts.append(Equals(("archived",), value=False))
    return And(tuple(parts))
