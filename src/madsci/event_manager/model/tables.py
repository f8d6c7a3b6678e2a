"""Small tables: what is kept beside the events, as documents with keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.stored_event import decode_json, encode_json

FOLLOWERS: Final = "followers"
"""The table of the positions of followers, by their names."""
MAX_VALUE: Final = 1_000_000
"""Bytes of a document: tables are for what was concluded from events, not for events."""


class Way(Enum):
    """What a change does with a document; done again, it changes nothing."""

    PUT = "put"
    PUT_IF_ABSENT = "put_if_absent"
    DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """A change of one document; ``value`` is JSON text, none of a deletion."""

    table: str
    key: str
    way: Way
    value: str | None = None


def put(table: str, key: str, value: str) -> Change:
    """Return the change that keeps a document, in the place of the one that is there."""
    return Change(table, key, Way.PUT, value)


def put_if_absent(table: str, key: str, value: str) -> Change:
    """Return the change that keeps a document unless there is one with its key."""
    return Change(table, key, Way.PUT_IF_ABSENT, value)


def delete(table: str, key: str) -> Change:
    """Return the change that removes a document, if it is there."""
    return Change(table, key, Way.DELETE)


@dataclass(frozen=True)
class Step:
    """That a follower has read from one position to another; the changes say what it concluded."""

    follower: str
    before: Position
    after: Position


def kept_position(position: Position) -> str:
    """Return the document of the place to which a follower has read."""
    return encode_json({"position": str(position)})


def position_of(document: str) -> Position:
    """Return the place that such a document tells.

    Raises:
        InvalidInputError: it tells none.
    """
    return Position.parse(str(decode_json(document).get("position")))
